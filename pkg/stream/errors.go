package stream

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/pkg/credential"
)

// withRemedy adds to an error what to change, where that is known.
func withRemedy(err error) error {
	if change := remedy(err); change != "" {
		return fmt.Errorf("%w: %s", err, change)
	}
	return err
}

func remedy(err error) string {
	if change := credential.Explain(err, flagPrefix); change != "" {
		return change
	}
	switch {
	case strings.Contains(err.Error(), "tls alert record"): // the Kafka client has no error of its own for it
		return "set --kafka-tls, or name a port without TLS in --brokers"
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return "check --kafka-user and --kafka-password, and that the user has a password for the mechanism of --kafka-sasl"
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return "name another mechanism in --kafka-sasl"
	case errors.Is(err, kerr.IllegalSaslState), errors.Is(err, io.EOF):
		return "the brokers may want TLS (--kafka-tls) at that port, a login (--kafka-sasl), another password, or none of these"
	case errors.Is(err, kerr.TopicAuthorizationFailed),
		errors.Is(err, kerr.GroupAuthorizationFailed),
		errors.Is(err, kerr.ClusterAuthorizationFailed):
		return "give the user of --kafka-user the rights named in docs/security.md"
	}
	return ""
}
