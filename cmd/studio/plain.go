package main

import (
	"io"

	"github.com/abn-studio/studio/internal/text"
)

// plain is a stream that people read. Names of files, and names inside of them, are somebody else's: control characters, which could move
// the cursor or forge a line, are written as escapes. A write holds whole characters, as those of fmt and tabwriter do.
type plain struct{ to io.Writer }

// Write implements io.Writer.
func (p plain) Write(b []byte) (int, error) {
	if _, err := io.WriteString(p.to, text.Lines(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// verbatim is a stream as it is, for documents and for the line of progress.
func verbatim(w io.Writer) io.Writer {
	if p, ok := w.(plain); ok {
		return p.to
	}
	return w
}
