package credential

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// Explain says what to change when a connection with TLS cannot be made; nothing if err is not about TLS. prefix is
// that of the flags.
func Explain(err error, prefix string) string {
	var (
		plain   tls.RecordHeaderError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		remote  *net.OpError
	)
	switch {
	case errors.As(err, &plain):
		return "TLS is not spoken at that port: leave --" + prefix + "tls out, or name the port that speaks it"
	case errors.As(err, &unknown):
		return "name the file with the certificate of who signed the server's in --" + prefix + "tls-ca"
	case errors.As(err, &name):
		return "name a name of the certificate's in --" + prefix + "tls-server-name, or reach the server under one"
	case errors.As(err, &invalid):
		return "have the server's certificate renewed"
	case errors.As(err, &remote) && remote.Op == "remote error": // so crypto/tls marks what the other side complains of
		return "the server wants another certificate of ours: see --" + prefix + "tls-cert and --" + prefix + "tls-key"
	}
	return ""
}
