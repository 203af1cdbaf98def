package backup

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
)

// Keys say how backups are encrypted and read. The zero value writes plain backups and reads those.
type Keys struct {
	Recipients []age.Recipient // who can read what is written: age's public keys
	Identities []age.Identity  // secret keys, to read with
	Passphrase string          // in place of both
}

// ErrKey is the error of a backup that the keys do not open.
var ErrKey = errors.New("the key does not open the backup")

// ParseRecipients reads age's public keys, one a line; # begins a comment.
func ParseRecipients(r io.Reader) ([]age.Recipient, error) {
	all, err := age.ParseRecipients(r)
	if err != nil {
		return nil, fmt.Errorf("that is no public key of age's (age1…; studio backup keygen makes one): %w", err)
	}
	return all, nil
}

// ParseIdentities reads age's secret keys, one a line; # begins a comment.
func ParseIdentities(r io.Reader) ([]age.Identity, error) {
	all, err := age.ParseIdentities(r)
	if err != nil {
		return nil, fmt.Errorf("that is no file of age's secret keys (AGE-SECRET-KEY-1…, as studio backup keygen writes it): %w", err)
	}
	return all, nil
}

// Generate makes a key: the file with the secret, as age-keygen writes it, and the public key.
func Generate(now time.Time) (secret []byte, public string, err error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, "", err
	}
	public = identity.Recipient().String()
	return fmt.Appendf(nil, "# created: %s\n# public key: %s\n%s\n", now.UTC().Format(time.RFC3339), public, identity), public, nil
}

// sealing is how one backup is written: nil for a plain one.
type sealing struct {
	Encryption
	recipients []age.Recipient
	naming     []byte // the key of the blobs' names
}

// publicKeys are recipients as text, in order.
func publicKeys(recipients []age.Recipient) ([]string, error) {
	all := make([]string, len(recipients))
	for i, r := range recipients {
		named, ok := r.(fmt.Stringer)
		if !ok {
			return nil, fmt.Errorf("a recipient of the kind %T has no public key to be named by", r)
		}
		all[i] = named.String()
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// scryptWork is the work of trying a passphrase, as a power of two: age's default, a second.
const scryptWork = 18

// sealing chooses how a backup is encrypted in a place. A passphrase opens a key that lies in the place, and is made with the first
// backup: a key opens a file in microseconds, a passphrase in a second.
func (k Keys) sealing(ctx context.Context, p Place, installation string, work int) (*sealing, error) {
	s := &sealing{recipients: k.Recipients, naming: []byte(installation)}
	switch {
	case k.Passphrase == "" && len(k.Recipients) == 0:
		return nil, nil
	case k.Passphrase != "":
		identity, err := k.unlock(ctx, p, "")
		if errors.Is(err, errMissing) {
			if err = keyNeeded(ctx, p); err == nil {
				identity, err = k.lock(ctx, p, work)
			}
		}
		if err != nil {
			return nil, err
		}
		s.Passphrase = true
		s.recipients = []age.Recipient{identity.Recipient()}
	}
	var err error
	if s.Recipients, err = publicKeys(s.recipients); err != nil {
		return nil, err
	}
	s.ID = idOf(s.Recipients)
	if s.Passphrase {
		s.KeySHA256, err = sumOf(ctx, p, s.keyFile())
	}
	return s, err
}

// keyFile is where the key lies that a passphrase opens.
func (e Encryption) keyFile() string { return keysIn + e.ID + encrypted }

// keyNeeded fails where backups of a place want a key that lies there no more: a new one would not open them.
func keyNeeded(ctx context.Context, p Place) error {
	all, err := Backups(ctx, p)
	for _, l := range all {
		if e := l.About.Encryption; e != nil && e.Passphrase {
			return fmt.Errorf("%w: %s is missing in %s, and %s and what else was encrypted with it cannot be opened without it: put it back, or begin a folder of its own", ErrKey, e.keyFile(), p, l.Name)
		}
	}
	return err
}

// verifyKey compares the key that a passphrase opens with what it was when the backup was made.
func (b *Backup) verifyKey(ctx context.Context) error {
	e := b.About.Encryption
	if e == nil || !e.Passphrase {
		return nil
	}
	sum, err := sumOf(ctx, b.place, e.keyFile())
	if errors.Is(err, errMissing) {
		return &DamagedError{Part: e.keyFile(), Err: errMissing}
	}
	if err == nil && e.KeySHA256 != "" && sum != e.KeySHA256 {
		err = &DamagedError{Part: e.keyFile(), Err: errors.New("it is not what was written: no passphrase may open this backup any more")}
	}
	return err
}

// idOf is a short name for a list of public keys.
func idOf(recipients []string) string {
	sum := sha256.Sum256([]byte(strings.Join(recipients, "\n")))
	return hex.EncodeToString(sum[:8])
}

// lock makes a key for a passphrase and puts it into a place.
func (k Keys) lock(ctx context.Context, p Place, work int) (*age.X25519Identity, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	by, err := age.NewScryptRecipient(k.Passphrase)
	if err != nil {
		return nil, err
	}
	by.SetWorkFactor(cmp.Or(work, scryptWork))
	var locked bytes.Buffer
	w, err := age.Encrypt(&locked, by)
	if err == nil {
		_, err = fmt.Fprintln(w, identity)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, err
	}
	return identity, writeAll(ctx, p, keysIn+idOf([]string{identity.Recipient().String()})+encrypted, locked.Bytes())
}

// unlock opens a place's key with the passphrase: the one with an id, or, without one, any that it opens. errMissing where there is none.
func (k Keys) unlock(ctx context.Context, p Place, id string) (*age.X25519Identity, error) {
	var names []string
	if err := p.List(ctx, keysIn+id, func(name string, _ int64, _ time.Time) error {
		names = append(names, name)
		return nil
	}); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errMissing
	}
	slices.Sort(names)
	by, err := age.NewScryptIdentity(k.Passphrase)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		locked, err := readAll(ctx, p, name, 1<<16)
		if err != nil {
			return nil, err
		}
		r, err := age.Decrypt(bytes.NewReader(locked), by)
		var wrong *age.NoIdentityMatchError
		if errors.As(err, &wrong) {
			continue
		}
		var text []byte
		if err == nil {
			text, err = io.ReadAll(io.LimitReader(r, 1<<12))
		}
		if err != nil {
			return nil, &DamagedError{Part: name, Err: err}
		}
		identity, err := age.ParseX25519Identity(strings.TrimSpace(string(text)))
		if err == nil && keysIn+idOf([]string{identity.Recipient().String()})+encrypted != name {
			err = errors.New("it has another key's name")
		}
		if err != nil {
			return nil, &DamagedError{Part: name, Err: err}
		}
		return identity, nil
	}
	return nil, fmt.Errorf("%w: the passphrase is not the one with which backups were begun in %s (another one needs a folder of its own)", ErrKey, p)
}

// opening is how a backup is read. identities is nil for one that is not encrypted, and for one that the keys do not open.
type opening struct {
	sealed     bool
	identities []age.Identity
}

// opening finds the keys of a backup. Without any, an encrypted backup can still be checked byte by byte.
func (k Keys) opening(ctx context.Context, p Place, e *Encryption) (opening, error) {
	switch {
	case e == nil:
		return opening{}, nil
	case k.Passphrase == "" && len(k.Identities) == 0:
		return opening{sealed: true}, nil
	case e.Passphrase && k.Passphrase != "":
		identity, err := k.unlock(ctx, p, e.ID)
		if errors.Is(err, errMissing) {
			err = &DamagedError{Part: keysIn + e.ID + encrypted, Err: errMissing}
		}
		return opening{true, []age.Identity{identity}}, err
	case e.Passphrase:
		return opening{true, k.Identities}, nil // somebody may have taken the key out
	case len(k.Identities) == 0:
		return opening{}, fmt.Errorf("%w: it is encrypted to public keys (%s) and not with a passphrase: name the file of a secret key (--identity)", ErrKey, strings.Join(e.Recipients, ", "))
	default:
		return opening{true, k.Identities}, nil
	}
}

// explain makes age's error of a wrong key one that says which key is needed.
func (e *Encryption) explain(err error) error {
	var wrong *age.NoIdentityMatchError
	if e == nil || !errors.As(err, &wrong) {
		return err
	}
	return fmt.Errorf("%w: it is encrypted to %s, and the secret key that was named is of none of these", ErrKey, strings.Join(e.Recipients, ", "))
}

// name is what a blob is called. In an encrypted backup the SHA-256 itself would tell whoever sees the names which known files are there.
func (s *sealing) name(hash string) string {
	if s == nil {
		return hash
	}
	named := hmac.New(sha256.New, s.naming)
	named.Write([]byte(hash))
	return hex.EncodeToString(named.Sum(nil))
}

// folder is where blobs lie.
func (s *sealing) folder() string {
	if s == nil {
		return plainBlobs
	}
	return sealedBlobs + s.ID + "/"
}
