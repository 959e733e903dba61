package clients

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	health "google.golang.org/grpc/health/grpc_health_v1"
)

// The server of these tests wants a client's certificate, pings every 50 ms and retires connections after 300 ms.
const secured = "CLIENTS_TLS_URL"

func certificate(name string) string {
	return filepath.Join(os.Getenv("CLIENTS_CERTIFICATES"), name)
}

// trusting is TLS that trusts what authority signed, with a certificate of its own where one is named.
func trusting(t *testing.T, authority, own string) grpc.DialOption {
	t.Helper()
	pem, err := os.ReadFile(certificate(authority + ".pem"))
	check(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: roots}
	if own != "" {
		pair, err := tls.LoadX509KeyPair(certificate(own+".pem"), certificate(own+".key"))
		check(t, err)
		config.Certificates = []tls.Certificate{pair}
	}
	return grpc.WithTransportCredentials(credentials.NewTLS(config))
}

func TestTlsWithAClientCertificate(t *testing.T) {
	checkSum(t, connect(t, address(t, secured), trusting(t, "ca", "client")), 1, 2)
}

func TestTlsThatDoesNotComeAbout(t *testing.T) {
	target := address(t, secured)
	for _, pair := range [][2]string{{"ca", ""}, {"ca", "stranger"}, {"stranger", "client"}} {
		connection, err := grpc.NewClient(target, trusting(t, pair[0], pair[1]))
		check(t, err)
		_, err = health.NewHealthClient(connection).Check(within(t), &health.HealthCheckRequest{})
		expectStatus(t, err, codes.Unavailable, "")
		connection.Close()
	}
}

func TestPingsOfTheServerDuringAStream(t *testing.T) {
	s := connect(t, address(t, secured), trusting(t, "ca", "client"))
	stream := s.stream(t, within(t))
	stream.send(repeat(100, 1, 2, 3, 4, 5))
	for _, expected := range []int32{1, 2, 3, 4, 5} {
		if found := tensor(stream.response(), "OUT")[0]; found != expected {
			t.Fatalf("%d, not %d", found, expected)
		}
	}
	stream.expectEnd()
}

func TestCallsWhileConnectionsRetire(t *testing.T) {
	s := connect(t, address(t, secured), trusting(t, "ca", "client"))
	for until := time.Now().Add(1500 * time.Millisecond); time.Now().Before(until); {
		checkSum(t, s, 1, 2)
	}
}
