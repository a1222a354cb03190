// Package credential is what programs show to the servers they use, and demand of them: passwords and TLS
// certificates, from flags or from files.
//
// Files are read each time they are needed, which is when a connection is made: whoever replaces one, be it a secret
// that is rotated or a certificate that is renewed, has the next connection use it, without a restart. The token key
// alone is read once: whoever has another refuses every token there is.
//
// Files:
//
//	password.go  a password or its file
//	tokenkey.go  the token key or its file
//	tls.go       trusted authorities and the client certificate
//	explain.go   advice for TLS errors
package credential
