package clients

import (
	"context"
	"fmt"
	"math/rand"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	_ "google.golang.org/grpc/health" // checks of the client's own, where its configuration asks for them
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func checkSum(t *testing.T, s *service, left, right int32, options ...grpc.CallOption) {
	t.Helper()
	answer, err := s.call(within(t), "ModelInfer", sum("sum", left, right), options...)
	check(t, err)
	if id := field(answer, "id").String(); id != "sum" {
		t.Fatalf("id %q", id)
	}
	for name, expected := range map[string]int32{"OUTPUT0": left + right, "OUTPUT1": left - right} {
		found := tensor(answer, name)
		if len(found) != 16 || found[0] != expected || found[15] != expected {
			t.Fatalf("%s is %v, not %d", name, found, expected)
		}
	}
}

func TestMetadataAndInference(t *testing.T) {
	s := plain(t)
	var head, trailers metadata.MD
	answer, err := s.call(within(t), "ServerMetadata", "", grpc.Header(&head), grpc.Trailer(&trailers))
	check(t, err)
	if name := field(answer, "name").String(); name != "triton" && name != "nereid" {
		t.Fatalf("name %q", name)
	}
	if head.Get("content-type")[0] != "application/grpc" {
		t.Fatalf("headers %v", head)
	}
	checkSum(t, s, 40, 2)
}

func TestStatusOfAMistake(t *testing.T) {
	s := plain(t)
	_, err := s.call(within(t), "ModelInfer", `model_name: "nope"`)
	expectStatus(t, err, codes.NotFound, "Request for unknown model: 'nope' is not found")
	_, err = s.call(within(t), "ModelInfer", `model_name: "addsub_int32"`)
	expectStatus(t, err, codes.InvalidArgument, "expected 2 inputs but got 0 inputs")
	err = s.Invoke(within(t), "/"+serviceName+"/Nope", s.request("ServerLive", ""), s.answer("ServerLive"))
	expectStatus(t, err, codes.Unimplemented, "")
}

func TestManyCallsOnOneConnection(t *testing.T) {
	s := plain(t)
	var group sync.WaitGroup
	for worker := range int32(64) {
		group.Go(func() {
			for i := range int32(20) {
				answer, err := s.call(within(t), "ModelInfer", sum("", worker, i))
				if err != nil || tensor(answer, "OUTPUT0")[15] != worker+i {
					t.Errorf("%v %v", answer, err)
				}
			}
		})
	}
	group.Wait()
}

func TestGzip(t *testing.T) {
	checkSum(t, plain(t), 1, 2, grpc.UseCompressor(gzip.Name))
}

// A tensor of 16 MB is far more than any window; grpc-go makes its windows larger meanwhile.
func TestLargeTensors(t *testing.T) {
	s := plain(t)
	bytes := make([]byte, 16<<20)
	rand.New(rand.NewSource(1)).Read(bytes)
	for i := 3; i < len(bytes); i += 4 {
		bytes[i] &= 0x3f // no NaN
	}
	shape := fmt.Sprintf(`model_name: "identity_fp32" inputs { name: "INPUT0" datatype: "FP32" shape: [4, %d] }`, len(bytes)/16)
	request := s.request("ModelInfer", shape)
	raw := request.Mutable(request.Descriptor().Fields().ByName("raw_input_contents")).List()
	raw.Append(protoreflect.ValueOfBytes(bytes))
	for _, options := range [][]grpc.CallOption{nil, {grpc.UseCompressor(gzip.Name)}} {
		answer := s.answer("ModelInfer")
		options = append(options, grpc.MaxCallRecvMsgSize(len(bytes)+1024))
		check(t, s.Invoke(within(t), "/"+serviceName+"/ModelInfer", request, answer, options...))
		if found := field(answer, "raw_output_contents").List().Get(0).Bytes(); string(found) != string(bytes) {
			t.Fatalf("%d bytes came back, and not the same", len(found))
		}
	}
}

func TestACallThatIsCancelledBeforeItIsSent(t *testing.T) {
	s := plain(t)
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	_, err := s.call(ctx, "ModelInfer", sum("", 1, 2))
	expectStatus(t, err, codes.Canceled, "")
	checkSum(t, s, 1, 2)
}

func TestCallsThatAreCancelledAtAnyTime(t *testing.T) {
	s := plain(t)
	random := rand.New(rand.NewSource(1))
	for range 300 {
		ctx, cancel := context.WithCancel(within(t))
		done := make(chan error)
		go func() {
			_, err := s.call(ctx, "ModelInfer", sum("", 1, 2))
			done <- err
		}()
		for range random.Intn(2000) {
			_ = ctx.Err()
		}
		cancel()
		if err := <-done; err != nil {
			expectStatus(t, err, codes.Canceled, "")
		}
	}
	checkSum(t, s, 1, 2)
}

func TestHealth(t *testing.T) {
	client := health.NewHealthClient(plain(t))
	for _, name := range []string{"", serviceName} {
		answer, err := client.Check(within(t), &health.HealthCheckRequest{Service: name})
		check(t, err)
		if answer.Status != health.HealthCheckResponse_SERVING {
			t.Fatalf("%q is %v", name, answer.Status)
		}
	}
}

// The client watches the server's health; a server that does not offer that counts as healthy.
func TestTheClientsOwnHealthChecks(t *testing.T) {
	config := `{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}`
	checkSum(t, connect(t, address(t, "CLIENTS_GRPC_URL"), grpc.WithDefaultServiceConfig(config)), 1, 2)
}
