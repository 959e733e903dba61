package clients

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// inferStream is a ModelStreamInfer that sends requests in protobuf's text format.
type inferStream struct {
	grpc.ClientStream
	*service
	t *testing.T
}

func (s *service) stream(t *testing.T, ctx context.Context, options ...grpc.CallOption) *inferStream {
	t.Helper()
	both := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := s.NewStream(ctx, both, "/"+serviceName+"/ModelStreamInfer", options...)
	check(t, err)
	return &inferStream{stream, s, t}
}

func (s *inferStream) send(text string) {
	s.t.Helper()
	check(s.t, s.SendMsg(s.request("ModelStreamInfer", text)))
}

func (s *inferStream) receive() (protoreflect.Message, error) {
	answer := s.answer("ModelStreamInfer")
	return answer, s.RecvMsg(answer)
}

// response is the next message, which is none of an error.
func (s *inferStream) response() protoreflect.Message {
	s.t.Helper()
	answer, err := s.receive()
	check(s.t, err)
	if text := field(answer, "error_message").String(); text != "" {
		s.t.Fatal(text)
	}
	return field(answer, "infer_response").Message()
}

func (s *inferStream) expectEnd() {
	s.t.Helper()
	check(s.t, s.CloseSend())
	if answer, err := s.receive(); err != io.EOF {
		s.t.Fatalf("no end of the stream: %v %v", answer, err)
	}
}

func TestAnswersOfAStreamComeInOrder(t *testing.T) {
	for _, options := range [][]grpc.CallOption{nil, {grpc.UseCompressor(gzip.Name)}} {
		stream := plain(t).stream(t, within(t), options...)
		go func() {
			for i := range int32(500) {
				_ = stream.SendMsg(stream.request("ModelStreamInfer", sum(fmt.Sprint(i), i, 1)))
			}
		}()
		for i := range int32(500) {
			answer := stream.response()
			if id := field(answer, "id").String(); id != fmt.Sprint(i) || tensor(answer, "OUTPUT0")[0] != i+1 {
				t.Fatalf("answer %d is %s with %d", i, id, tensor(answer, "OUTPUT0")[0])
			}
		}
		stream.expectEnd()
	}
}

// Small messages of several streams on one connection: each is followed by several WINDOW_UPDATEs.
func TestStreamsThatTakeTurns(t *testing.T) {
	s := plain(t)
	var streams []*inferStream
	for range 4 {
		streams = append(streams, s.stream(t, within(t)))
	}
	for i := range int32(2000) {
		for _, stream := range streams {
			stream.send(sum("", i, 1))
		}
		for _, stream := range streams {
			if found := tensor(stream.response(), "OUTPUT0")[0]; found != i+1 {
				t.Fatalf("%d, not %d", found, i+1)
			}
		}
	}
	for _, stream := range streams {
		stream.expectEnd()
	}
}

func TestManyResponsesAndAnEmptyFinalOne(t *testing.T) {
	stream := plain(t).stream(t, within(t))
	stream.send(repeat(0, 5, 6, 7) + `parameters { key: "triton_enable_empty_final_response" value { bool_param: true } }`)
	for _, expected := range []int32{5, 6, 7} {
		if found := tensor(stream.response(), "OUT")[0]; found != expected {
			t.Fatalf("%d, not %d", found, expected)
		}
	}
	if outputs := field(stream.response(), "outputs").List().Len(); outputs != 0 {
		t.Fatalf("%d outputs in the final response", outputs)
	}
	stream.expectEnd()
}

func TestASequence(t *testing.T) {
	stream := plain(t).stream(t, within(t))
	var sums []int32
	for step := range 5 {
		stream.send(fmt.Sprintf(`model_name: "seq_state"
			inputs { name: "INPUT" datatype: "INT32" shape: [1, 1] contents { int_contents: %d } }
			parameters { key: "sequence_id" value { int64_param: 7001 } }
			parameters { key: "sequence_start" value { bool_param: %t } }
			parameters { key: "sequence_end" value { bool_param: %t } }`, step, step == 0, step == 4))
		sums = append(sums, tensor(stream.response(), "OUTPUT")[0])
	}
	if !slices.Equal(sums, []int32{0, 1, 3, 6, 10}) {
		t.Fatalf("sums %v", sums)
	}
	stream.expectEnd()
}

func TestAnErrorIsAMessageAndTheStreamGoesOn(t *testing.T) {
	stream := plain(t).stream(t, within(t))
	stream.send(`model_name: "nope"`)
	answer, err := stream.receive()
	check(t, err)
	if text := field(answer, "error_message").String(); text != "Request for unknown model: 'nope' is not found" {
		t.Fatal(text)
	}
	stream.send(sum("", 1, 2))
	stream.response()
	stream.expectEnd()
}

func TestADeadline(t *testing.T) {
	s := plain(t)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	stream := s.stream(t, ctx)
	stream.send(repeat(600_000, 1))
	_, err := stream.receive()
	expectStatus(t, err, codes.DeadlineExceeded, "")
	checkSum(t, s, 1, 2)
}

func TestAStreamThatIsCancelledInTheMiddle(t *testing.T) {
	s := plain(t)
	for range 50 {
		ctx, cancel := context.WithCancel(within(t))
		stream := s.stream(t, ctx)
		stream.send(repeat(600_000, 1))
		stream.send(sum("", 1, 2))
		stream.response()
		cancel()
		_, err := stream.receive()
		expectStatus(t, err, codes.Canceled, "")
	}
	checkSum(t, s, 1, 2)
}
