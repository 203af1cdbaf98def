package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// counted hashes and counts what passes.
type counted struct {
	io.Writer
	sum hash.Hash
	n   int64
}

func newCounted(w io.Writer) *counted { return &counted{Writer: w, sum: sha256.New()} }

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.sum.Write(p[:n])
	c.n += int64(n)
	return n, err
}

func (c *counted) hash() string { return hex.EncodeToString(c.sum.Sum(nil)) }

// seal encrypts what write writes to w, where s is not nil.
func (s *sealing) seal(w io.Writer, write func(io.Writer) error) error {
	if s == nil {
		return write(w)
	}
	sealed, err := age.Encrypt(w, s.recipients...)
	if err != nil {
		return err
	}
	if err := write(sealed); err != nil {
		return err
	}
	return sealed.Close()
}

// writePart writes a part of a backup: compressed, encrypted where s is not nil.
func writePart(ctx context.Context, p Place, in, name string, s *sealing, write func(io.Writer) error) (Part, error) {
	if s != nil {
		name += encrypted
	}
	part := Part{Name: name}
	err := p.Write(ctx, in+name, func(w io.Writer) error {
		out := newCounted(w)
		err := s.seal(out, func(w io.Writer) error {
			squeezed, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
			if err != nil {
				return err
			}
			if err := write(squeezed); err != nil {
				return errors.Join(err, squeezed.Close())
			}
			return squeezed.Close()
		})
		part.Bytes, part.SHA256 = out.n, out.hash()
		return err
	})
	if err != nil {
		return part, fmt.Errorf("writing %s to %s: %w", in+name, p, err)
	}
	return part, nil
}

// writeLines writes a part that is a JSON object a line.
func writeLines[T any](ctx context.Context, p Place, in, name string, s *sealing, all []T) (Part, error) {
	return writePart(ctx, p, in, name, s, func(w io.Writer) error {
		buffered := bufio.NewWriterSize(w, 1<<16)
		lines := json.NewEncoder(buffered)
		for _, one := range all {
			if err := lines.Encode(one); err != nil {
				return err
			}
		}
		return buffered.Flush()
	})
}

// partReader reads a part and, at its end, compares its bytes with those that were written.
type partReader struct {
	io.Reader
	ctx    context.Context
	name   string
	want   Part
	raw    *counted // what was read of the file
	file   io.Reader
	closes []func() error
	about  *Encryption
	inside bool // what is inside is compared by the caller, and the file need not be the one that was written
	over   error
}

// openFile opens a file of the place as it was before it was encrypted. Its last Read gives a *DamagedError in place of io.EOF where the
// file's bytes are not those that were written: what was read is good only once io.EOF has come.
func (b *Backup) openFile(ctx context.Context, want Part, sealed bool) (*partReader, error) {
	r := &partReader{ctx: ctx, name: want.Name, want: want, about: b.About.Encryption}
	file, err := b.place.Open(ctx, r.name)
	if err != nil {
		return nil, r.explain(err)
	}
	r.closes = append(r.closes, file.Close)
	r.raw = newCounted(io.Discard)
	r.file = io.TeeReader(file, r.raw)
	r.Reader = r.file
	if sealed {
		if r.Reader, err = age.Decrypt(r.file, b.keys.identities...); err != nil {
			return nil, errors.Join(r.explain(err), r.Close())
		}
	}
	return r, nil
}

// openPart opens a part as it was before it was compressed and encrypted, as openFile does.
func (b *Backup) openPart(ctx context.Context, part Part) (io.ReadCloser, error) {
	sealed := b.keys.sealed && part.Name != objectsName
	part.Name = b.in + part.Name
	r, err := b.openFile(ctx, part, sealed)
	if err != nil {
		return nil, err
	}
	squeezed, err := zstd.NewReader(r.Reader, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
	if err != nil {
		return nil, errors.Join(r.explain(err), r.Close())
	}
	r.Reader = squeezed
	r.closes = append(r.closes, func() error { squeezed.Close(); return nil })
	return r, nil
}

// openObject opens an object as the blob that it holds, whose hash the caller compares: a blob that was encrypted anew for a later backup
// has other bytes.
func (b *Backup) openObject(ctx context.Context, o Object) (io.ReadCloser, error) {
	r, err := b.openFile(ctx, Part{objectPath(b.About.Blobs, o.Name), o.Bytes, o.sum()}, b.keys.sealed)
	if err != nil {
		return nil, err
	}
	r.inside = b.keys.sealed
	return r, nil
}

func (r *partReader) Read(p []byte) (int, error) {
	if r.over != nil {
		return 0, r.over
	}
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	n, err := r.Reader.Read(p)
	if err != nil {
		r.over = r.explain(err)
		err = r.over
	}
	return n, err
}

// explain makes the error of a part, or its end, one that says whether the file is damaged: then that is why it cannot be read.
func (r *partReader) explain(err error) error {
	if ctx := context.Cause(r.ctx); ctx != nil {
		return ctx
	}
	if errors.Is(err, errMissing) {
		return &DamagedError{Part: r.name, Err: err}
	}
	if r.raw == nil {
		return err
	}
	if _, rest := io.Copy(io.Discard, r.file); rest != nil {
		return fmt.Errorf("reading %s: %w", r.name, rest)
	}
	switch {
	case errors.Is(err, io.EOF) && r.inside:
		return io.EOF
	case r.raw.n != r.want.Bytes || r.raw.hash() != r.want.SHA256:
		return &DamagedError{Part: r.name, Err: errOther}
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	if explained := r.about.explain(err); errors.Is(explained, ErrKey) {
		return explained
	}
	return &DamagedError{Part: r.name, Err: err} // its bytes are those that were written, and make no sense
}

// Close ends reading.
func (r *partReader) Close() error {
	var err error
	for i := len(r.closes) - 1; i >= 0; i-- {
		err = errors.Join(err, r.closes[i]())
	}
	return err
}

// readLines hands over the objects of a part that is a JSON object a line.
func readLines[T any](ctx context.Context, b *Backup, part Part, each func(T) error) error {
	r, err := b.openPart(ctx, part)
	if err != nil {
		return err
	}
	defer r.Close()
	for lines := json.NewDecoder(r); ; {
		var one T
		err := lines.Decode(&one)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return because(r, err)
		}
		if err := each(one); err != nil {
			return err
		}
	}
}

// because returns why what was read makes no sense: that the file is damaged, if it is, else err.
func because(r io.Reader, err error) error {
	var damaged *DamagedError
	if _, rest := io.Copy(io.Discard, r); errors.As(rest, &damaged) {
		return rest
	}
	return err
}
