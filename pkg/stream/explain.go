package stream

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/pkg/credential"
)

// explain adds to an error what to change, where that is known.
func explain(err error) error {
	if change := remedy(err); change != "" {
		return fmt.Errorf("%w: %s", err, change)
	}
	return err
}

func remedy(err error) string {
	if change := credential.Explain(err, flagPrefix); change != "" {
		return change
	}
	var closed *kgo.ErrFirstReadEOF
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return "check --kafka-user and --kafka-password, and that the user has a password for the mechanism of --kafka-sasl"
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return "name another mechanism in --kafka-sasl"
	case errors.Is(err, kerr.IllegalSaslState), errors.As(err, &closed):
		return "the brokers may want TLS (--kafka-tls) or a login (--kafka-sasl) at that port, or neither"
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		return "give the user of --kafka-user the rights named in docs/security.md"
	}
	return ""
}
