// Package sealed keeps small secrets in the database so that whoever has a copy of that alone cannot read them: AES-256-GCM (NIST SP 800-38D)
// under a key that the studio is started with. Without a key they are kept as they are (ADR 49).
package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// ErrKey is the error of a secret that the key does not open: there is none, or it is another one.
var ErrKey = errors.New("the studio was started without the key that opens it, or with another one")

// LeastKey is how many characters a key has at least.
const LeastKey = 32

// The first byte of what is kept says how.
const (
	asItIs   = 0
	underKey = 1 // a nonce of 12 bytes follows, and what GCM makes
)

// Key seals and opens. The zero value has no key.
type Key struct{ gcm cipher.AEAD }

// NewKey makes a key of a long random text; "": none.
func NewKey(text string) (Key, error) {
	if text == "" {
		return Key{}, nil
	}
	if len(text) < LeastKey {
		return Key{}, fmt.Errorf("the key has %d characters, and needs %d: make one with openssl rand -hex 32", len(text), LeastKey)
	}
	key, err := hkdf.Key(sha256.New, []byte(text), nil, "abn-studio sealed 1", 32)
	if err != nil {
		return Key{}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return Key{}, err
	}
	gcm, err := cipher.NewGCM(block)
	return Key{gcm}, err
}

// Seal returns a secret as it is kept, of what it is about, such as "second factor of user 3": it opens for that alone.
func (k Key) Seal(secret []byte, about string) []byte {
	if k.gcm == nil {
		return append([]byte{asItIs}, secret...)
	}
	nonce := make([]byte, k.gcm.NonceSize())
	rand.Read(nonce)
	return k.gcm.Seal(append([]byte{underKey}, nonce...), nonce, secret, []byte(about))
}

// Open returns the secret. stale reports whether it should be sealed again, since it was kept without a key and there is one now.
func (k Key) Open(kept []byte, about string) (secret []byte, stale bool, err error) {
	switch {
	case len(kept) == 0:
		return nil, false, errors.New("nothing is kept")
	case kept[0] == asItIs:
		return kept[1:], k.gcm != nil, nil
	case k.gcm == nil || len(kept) < 1+k.gcm.NonceSize():
		return nil, false, ErrKey
	}
	nonce := kept[1 : 1+k.gcm.NonceSize()]
	if secret, err = k.gcm.Open(nil, nonce, kept[1+len(nonce):], []byte(about)); err != nil {
		return nil, false, ErrKey
	}
	return secret, false, nil
}
