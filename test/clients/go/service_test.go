// Package clients drives a built server with google.golang.org/grpc, which learns the messages from the server's reflection.
package clients

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	reflection "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const serviceName = "inference.GRPCInferenceService"
const patience = 30 * time.Second

// service is a connection and what the server says of its methods.
type service struct {
	*grpc.ClientConn
	methods protoreflect.MethodDescriptors
}

func address(t *testing.T, variable string) string {
	t.Helper()
	found := os.Getenv(variable)
	if found == "" {
		t.Skipf("%s is not set", variable)
	}
	return found
}

func connect(t *testing.T, target string, more ...grpc.DialOption) *service {
	t.Helper()
	options := append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, more...)
	connection, err := grpc.NewClient(target, options...)
	check(t, err)
	t.Cleanup(func() { connection.Close() })
	return &service{connection, reflect(t, connection)}
}

func plain(t *testing.T) *service {
	t.Helper()
	return connect(t, address(t, "CLIENTS_GRPC_URL"))
}

func reflect(t *testing.T, connection *grpc.ClientConn) protoreflect.MethodDescriptors {
	t.Helper()
	stream, err := reflection.NewServerReflectionClient(connection).ServerReflectionInfo(within(t))
	check(t, err)
	symbol := &reflection.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: serviceName}
	check(t, stream.Send(&reflection.ServerReflectionRequest{MessageRequest: symbol}))
	answer, err := stream.Recv()
	check(t, err)
	check(t, stream.CloseSend())
	files := &descriptorpb.FileDescriptorSet{}
	for _, encoded := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		check(t, proto.Unmarshal(encoded, file))
		files.File = append(files.File, file)
	}
	var known *protoregistry.Files
	known, err = protodesc.NewFiles(files)
	check(t, err)
	found, err := known.FindDescriptorByName(serviceName)
	check(t, err)
	return found.(protoreflect.ServiceDescriptor).Methods()
}

// request makes a message of the method's input from protobuf's text format.
func (s *service) request(method, text string) *dynamicpb.Message {
	message := dynamicpb.NewMessage(s.methods.ByName(protoreflect.Name(method)).Input())
	if err := prototext.Unmarshal([]byte(text), message); err != nil {
		panic(err)
	}
	return message
}

func (s *service) answer(method string) *dynamicpb.Message {
	return dynamicpb.NewMessage(s.methods.ByName(protoreflect.Name(method)).Output())
}

func (s *service) call(ctx context.Context, method, text string, options ...grpc.CallOption) (*dynamicpb.Message, error) {
	answer := s.answer(method)
	err := s.Invoke(ctx, "/"+serviceName+"/"+method, s.request(method, text), answer, options...)
	return answer, err
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expectStatus(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(err.Error(), text) {
		t.Fatalf("not %v with %q: %v", code, text, err)
	}
}

// field reads a field of a message, and of the messages in it.
func field(message protoreflect.Message, path ...protoreflect.Name) protoreflect.Value {
	value := protoreflect.ValueOfMessage(message)
	for _, name := range path {
		within := value.Message()
		value = within.Get(within.Descriptor().Fields().ByName(name))
	}
	return value
}

// tensor decodes the raw output of that name; nil where there is none.
func tensor(response protoreflect.Message, name string) []int32 {
	outputs := field(response, "outputs").List()
	for index := range outputs.Len() {
		if field(outputs.Get(index).Message(), "name").String() != name {
			continue
		}
		bytes := field(response, "raw_output_contents").List().Get(index).Bytes()
		values := make([]int32, len(bytes)/4)
		for i := range values {
			values[i] = int32(binary.LittleEndian.Uint32(bytes[4*i:]))
		}
		return values
	}
	return nil
}

// sum is a request of a model that adds two tensors of 16 elements.
func sum(id string, left, right int32) string {
	row := func(name string, value int32) string {
		values := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("%d,", value), 16), ",")
		return fmt.Sprintf(`inputs { name: %q datatype: "INT32" shape: [1, 16] contents { int_contents: [%s] } } `, name, values)
	}
	return fmt.Sprintf(`model_name: "addsub_int32" id: %q `, id) + row("INPUT0", left) + row("INPUT1", right)
}

// repeat asks for one response for each of values, each delay milliseconds after the one before.
func repeat(delay int, values ...int) string {
	list := func(of func(int) int) string {
		var texts []string
		for i := range values {
			texts = append(texts, fmt.Sprint(of(i)))
		}
		return strings.Join(texts, ",")
	}
	in := list(func(i int) int { return values[i] })
	delays := list(func(int) int { return delay })
	return fmt.Sprintf(`model_name: "repeat"
		inputs { name: "IN" datatype: "INT32" shape: %d contents { int_contents: [%s] } }
		inputs { name: "DELAY" datatype: "UINT32" shape: %d contents { uint_contents: [%s] } }
		inputs { name: "WAIT" datatype: "UINT32" shape: 1 contents { uint_contents: 0 } }`, len(values), in, len(values), delays)
}
