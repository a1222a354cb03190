package credential

import "errors"

// TokenKey is the installation's token key as text, or the file that holds it. Its fields are flags.
type TokenKey struct {
	TokenKey     string `help:"Key of the tokens, as made by openssl rand -base64 32; every edge and every millrace command has the same. Prefer a variable or a file: process lists show flags. Commands on the --data of a running \"up\" need none." placeholder:"KEY"`
	TokenKeyFile string `help:"File with the key. It is read at the start." placeholder:"FILE"`
}

// Read returns the text. The error quotes nothing of it.
func (k *TokenKey) Read() (string, error) {
	switch {
	case k.TokenKeyFile == "":
		return k.TokenKey, nil
	case k.TokenKey != "":
		return "", errors.New("--token-key and --token-key-file are both set: leave one of them out")
	}
	return readFile(k.TokenKeyFile, "key")
}
