package archive

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// Request says what is written.
type Request struct {
	Project string // slug
	annotator.PackChoices
	Studio string // the release that writes it
	Now    time.Time
}

// FileName is what the file is called.
func (r Request) FileName() string { return r.Project + ".studio.zip" }

// Write writes a project's archive to w.
func Write(ctx context.Context, service *annotator.Service, actor annotator.User, r Request, w io.Writer) (About, error) {
	out := &writer{zip: zip.NewWriter(w), sum: sha256.New(), about: About{
		Format: Format, Version: FormatVersion, Studio: r.Studio, At: r.Now.UTC(), Project: r.Project, Pictures: r.Pictures, Anonymous: r.Anonymous, Tables: map[string]Table{},
	}}
	if err := service.PackProject(ctx, actor, r.Project, r.PackChoices, out); err != nil {
		return About{}, err
	}
	for _, table := range annotator.ArchiveTables[out.next:] { // without rows
		if err := out.begin(table); err != nil {
			return About{}, err
		}
	}
	out.end()
	entry, err := out.zip.CreateHeader(&zip.FileHeader{Name: aboutName, Method: zip.Deflate, Modified: out.about.At})
	if err == nil {
		indented := json.NewEncoder(entry)
		indented.SetIndent("", "  ")
		err = indented.Encode(out.about)
	}
	if err == nil {
		err = out.zip.Close()
	}
	return out.about, err
}

// writer implements annotator.ArchiveSink.
type writer struct {
	zip   *zip.Writer
	about About

	table string // whose rows are being written
	next  int    // the tables before it have been written
	entry io.Writer
	sum   hash.Hash
	rows  int
}

// begin starts a table's entry.
func (o *writer) begin(table string) error {
	o.end()
	entry, err := o.zip.CreateHeader(&zip.FileHeader{Name: rowsFolder + table + rowsSuffix, Method: zip.Deflate, Modified: o.about.At})
	if err != nil {
		return err
	}
	o.sum.Reset()
	o.table, o.rows, o.entry = table, 0, io.MultiWriter(entry, o.sum)
	o.next++
	return nil
}

func (o *writer) end() {
	if o.table != "" {
		o.about.Tables[o.table] = Table{Rows: o.rows, SHA256: hex.EncodeToString(o.sum.Sum(nil))}
		o.table = ""
	}
}

// Row implements annotator.ArchiveSink.
func (o *writer) Row(table string, row []byte) error {
	for o.table != table {
		if o.next == len(annotator.ArchiveTables) {
			return fmt.Errorf("rows of %s come out of turn", table)
		}
		if err := o.begin(annotator.ArchiveTables[o.next]); err != nil {
			return err
		}
	}
	if _, err := o.entry.Write(row); err != nil {
		return err
	}
	o.rows++
	_, err := o.entry.Write([]byte{'\n'})
	return err
}

// File implements annotator.ArchiveSink. Pictures are compressed already, and networks hardly can be.
func (o *writer) File(hash string, content io.Reader) error {
	entry, err := o.zip.CreateHeader(&zip.FileHeader{Name: filesFolder + hash, Method: zip.Store, Modified: o.about.At})
	if err != nil {
		return err
	}
	n, err := io.Copy(entry, content)
	o.about.Files++
	o.about.Bytes += n
	return err
}

// Missing implements annotator.ArchiveSink.
func (o *writer) Missing(f annotator.ArchiveFile) error {
	o.about.Missing = append(o.about.Missing, Missing{SHA256: f.Hash, Use: f.Use})
	return nil
}
