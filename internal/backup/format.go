package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/abn-studio/studio/internal/postgres"
)

// Format is what descriptions call themselves, and Version the newest one that this program writes and reads.
const (
	Format  = "abn-studio-backup"
	Version = 1
)

// What lies where in a place. A place holds any number of backups of one studio, which share their blobs.
const (
	markName     = "abn-studio-backup.json" // what the place is: Mark
	backupsIn    = "backups/"               // backups/TIME/… has the parts of one backup
	aboutName    = "backup.json"            // a backup's description, written last: About
	contentsName = "contents.json.zst"      // what is in it: Contents
	blobsName    = "blobs.jsonl.zst"        // a Blob a line
	objectsName  = "objects.jsonl.zst"      // an Object a line, never encrypted: so can a place be checked and pruned without a key
	tablesIn     = "tables/"                // tables/NAME.zst: rows, as COPY writes them
	keysIn       = "keys/"                  // keys/ID.age: the key of a passphrase, encrypted with the passphrase
	plainBlobs   = "blobs/"                 // blobs/ab/abcd…, by SHA-256
	sealedBlobs  = "blobs-"                 // blobs-ID/ab/abcd…, by HMAC-SHA-256, encrypted to the keys with the ID
	encrypted    = ".age"                   // ends the names of encrypted parts
	timeLayout   = "20060102T150405Z"       // a backup's name
)

// Mark says what a place is, so that a backup is never written among other files, nor two studios into one place.
type Mark struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Studio  string `json:"studio"` // SHA-256 of the studio's own id
}

// Part is a file of a backup.
type Part struct {
	Name   string `json:"name"` // below the backup's folder
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // of the file as it lies there
}

// About describes a backup: what can be known of it without a key. Its last line is the SHA-256 of the lines before it.
type About struct {
	Format     string          `json:"format"`
	Version    int             `json:"version"`
	Release    string          `json:"release"` // that wrote it
	At         time.Time       `json:"at"`      // the moment that it is of
	Schema     postgres.Schema `json:"schema"`
	Encryption *Encryption     `json:"encryption,omitempty"`
	Blobs      string          `json:"blobs"` // the folder of its blobs
	Objects    int             `json:"objects"`
	Bytes      int64           `json:"bytes"` // of all parts and objects, as they lie there
	Parts      []Part          `json:"parts"`
}

// Encryption says with what a backup is read.
type Encryption struct {
	ID         string   `json:"id"`
	Recipients []string `json:"recipients"`           // age's public keys
	Passphrase bool     `json:"passphrase,omitempty"` // the secret key is in keys/ID.age, and a passphrase opens it
	KeySHA256  string   `json:"key_sha256,omitempty"` // of that file, without which the backup is worth nothing; older backups have none
}

// Contents describes what is in a backup.
type Contents struct {
	Installation string                   `json:"installation"` // the studio's own id
	Tables       []postgres.SavedTable    `json:"tables"`
	Sequences    []postgres.SavedSequence `json:"sequences"`
	Blobs        int                      `json:"blobs"`
	BlobBytes    int64                    `json:"blob_bytes"`
	Lost         []Lost                   `json:"lost,omitempty"`
}

// Rows is how many rows there are in all tables.
func (c Contents) Rows() (n int64) {
	for _, t := range c.Tables {
		n += t.Rows
	}
	return n
}

// Lost is a file that the studio had lost already when it was backed up.
type Lost struct {
	SHA256 string   `json:"sha256"`
	Uses   []string `json:"uses"` // the rows that refer to it
	Reason string   `json:"reason"`
}

// Blob is a file of the studio.
type Blob struct {
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
	Object string `json:"object,omitempty"` // the name under which it lies; "": its SHA-256
}

func (b Blob) object() string {
	if b.Object != "" {
		return b.Object
	}
	return b.SHA256
}

// Object is a blob as it lies in a place.
type Object struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"` // of the bytes as they lie there; "": the name
}

func (o Object) sum() string {
	if o.SHA256 != "" {
		return o.SHA256
	}
	return o.Name
}

// folderOf is where the parts of a backup lie.
func folderOf(name string) string { return backupsIn + name + "/" }

// objectPath is where an object lies in a folder of blobs.
func objectPath(folder, name string) string { return folder + name[:2] + "/" + name }

// A description as it is written, with its own hash.
const (
	sealBefore = "\n  \"sha256\": \""
	sealAfter  = "\"\n}\n"
)

// seal writes a description, an About or a Mark, with the hash of what comes before the hash.
func seal(a any) ([]byte, error) {
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return nil, err
	}
	text = append(bytes.TrimSuffix(text, []byte("\n}")), ',')
	sum := sha256.Sum256(text)
	return fmt.Appendf(text, "%s%s%s", sealBefore, hex.EncodeToString(sum[:]), sealAfter), nil
}

// unseal reads a description whose bytes are those that were written. One of a newer format may be sealed in another way.
func unseal(text []byte, into any) error {
	var m Mark
	if err := errors.Join(json.Unmarshal(text, &m), json.Unmarshal(text, into)); err != nil {
		return err
	}
	if m.Format == Format && m.Version > Version {
		return nil
	}
	at := bytes.LastIndex(text, []byte(sealBefore))
	if at < 0 {
		return errors.New("it has no hash of its own")
	}
	sum := sha256.Sum256(text[:at])
	if want := sealBefore + hex.EncodeToString(sum[:]) + sealAfter; string(text[at:]) != want || m.Format != Format {
		return errOther
	}
	return nil
}

// studioOf is how a place calls the studio with an id.
func studioOf(installation string) string {
	sum := sha256.Sum256([]byte(installation))
	return hex.EncodeToString(sum[:])
}

// DamagedError is the error of a part of a backup that is not as it was written.
type DamagedError struct {
	Part string
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("the backup is damaged: %s: %v", e.Part, e.Err)
}
func (e *DamagedError) Unwrap() error { return e.Err }

var (
	errMissing = errors.New("it is not there")
	errOther   = errors.New("its bytes are not those that were written")
)

// tableOf is the table of a part, "" for another part.
func tableOf(part string) string {
	name, is := strings.CutPrefix(part, tablesIn)
	if !is {
		return ""
	}
	return strings.TrimSuffix(strings.TrimSuffix(name, encrypted), ".zst")
}
