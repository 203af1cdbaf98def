package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/abn-studio/studio/internal/backup"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/postgres/embedded"
	"github.com/abn-studio/studio/internal/text"
)

// backupCommand makes backups and looks after them.
type backupCommand struct {
	Make   backupMakeCommand   `cmd:"" default:"withargs" help:"Write a backup; without a word after backup, this is what is done."`
	Verify backupVerifyCommand `cmd:"" help:"Read a backup to its end and say what of it is damaged."`
	List   backupListCommand   `cmd:"" help:"List the backups of a folder or a bucket."`
	Keygen backupKeygenCommand `cmd:"" help:"Make a key to encrypt backups with."`
}

// passphraseVariable is the environment variable of a backup's passphrase.
const passphraseVariable = "STUDIO_BACKUP_PASSPHRASE"

// passphraseFlags say where a passphrase is. It is never an argument, which other users of a machine could see.
type passphraseFlags struct {
	PassphraseFile string `type:"existingfile" placeholder:"FILE" help:"File whose first line is the passphrase (or set STUDIO_BACKUP_PASSPHRASE)."`
}

func (f passphraseFlags) passphrase() (string, error) {
	if f.PassphraseFile == "" {
		return os.Getenv(passphraseVariable), nil
	}
	text, err := os.ReadFile(f.PassphraseFile)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("--passphrase-file %s: its first line is empty", f.PassphraseFile)
	}
	return line, nil
}

// backupFlags say which backup is read, and with what.
type backupFlags struct {
	passphraseFlags
	From     string `arg:"" help:"Where the backups are: a folder or s3://BUCKET/PREFIX?region=R."`
	At       string `placeholder:"NAME" help:"Which backup: its name, or the beginning of it, such as 20261130 (default: the newest)."`
	Identity string `type:"existingfile" placeholder:"FILE" help:"File of the secret key, where the backup is encrypted to a public key."`
}

// open opens the backup. The place is to be closed.
func (f backupFlags) open(ctx context.Context) (backup.Place, *backup.Backup, error) {
	var keys backup.Keys
	var err error
	if f.Identity != "" {
		file, err := os.Open(f.Identity)
		if err != nil {
			return nil, nil, err
		}
		defer file.Close()
		if keys.Identities, err = backup.ParseIdentities(file); err != nil {
			return nil, nil, fmt.Errorf("--identity %s: %w", f.Identity, err)
		}
	} else if keys.Passphrase, err = f.passphrase(); err != nil {
		return nil, nil, err
	}
	place, err := backup.OpenPlace(ctx, f.From)
	if err != nil {
		return nil, nil, err
	}
	opened, err := backup.Open(ctx, place, f.At, keys)
	if err != nil {
		return nil, nil, errors.Join(err, place.Close())
	}
	return place, opened, nil
}

// backupMakeCommand writes a backup.
type backupMakeCommand struct {
	storageFlags
	passphraseFlags
	To             string   `arg:"" help:"Where to: a folder or s3://BUCKET/PREFIX?region=R. It keeps any number of backups of one studio; a file that is there already is not copied again."`
	Recipient      []string `placeholder:"KEY" help:"Encrypt it to this public key (age1…, of 'studio backup keygen' or age-keygen); may be given several times."`
	RecipientsFile string   `type:"existingfile" placeholder:"FILE" help:"Encrypt it to the public keys in this file, one a line."`
	Keep           int      `placeholder:"N" help:"Then remove all but the N newest backups, and the files that none of them needs (default: all are kept)."`
	JSON           bool     `name:"json" help:"Print one JSON document."`
}

// Help says what is in a backup.
func (backupMakeCommand) Help() string {
	return "A backup has every row of the database as it was at one moment, and the pictures, masks and models that the rows name. " +
		"It has no sessions (people sign in again) and no caches. The studio goes on meanwhile. The database is not migrated, so that a newer program can back up what it is about to upgrade. " +
		"Without a key or a passphrase it is not encrypted: it has e-mail addresses, hashes of passwords, and all pictures."
}

// keys reads whom the backup is encrypted to.
func (c *backupMakeCommand) keys() (keys backup.Keys, err error) {
	if len(c.Recipient) > 0 {
		if keys.Recipients, err = backup.ParseRecipients(strings.NewReader(strings.Join(c.Recipient, "\n"))); err != nil {
			return keys, fmt.Errorf("--recipient: %w", err)
		}
	}
	if c.RecipientsFile != "" {
		file, err := os.Open(c.RecipientsFile)
		if err != nil {
			return keys, err
		}
		defer file.Close()
		more, err := backup.ParseRecipients(file)
		if err != nil {
			return keys, fmt.Errorf("--recipients-file %s: %w", c.RecipientsFile, err)
		}
		keys.Recipients = append(keys.Recipients, more...)
	}
	if keys.Passphrase, err = c.passphrase(); err != nil {
		return keys, err
	}
	if keys.Passphrase != "" && len(keys.Recipients) > 0 {
		return keys, fmt.Errorf("a backup is encrypted to public keys or with a passphrase, not both: leave out the keys, or the passphrase (--passphrase-file, %s)", passphraseVariable)
	}
	return keys, nil
}

// Run writes it.
func (c *backupMakeCommand) Run(ctx context.Context, streams *stdio) (err error) {
	if c.Keep < 0 {
		return fmt.Errorf("--keep %d: want 1 or more", c.Keep)
	}
	keys, err := c.keys()
	if err != nil {
		return err
	}
	data, err := c.dataDir()
	if err != nil {
		return err
	}
	if err := outside(c.To, data, c.BlobURL); err != nil {
		return err
	}
	if c.DatabaseURL == "" && !embedded.Exists(data) {
		return fmt.Errorf("%s has no studio: name its data folder (--data), or its database (--database)", data)
	}
	place, err := backup.OpenPlace(ctx, c.To)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, place.Close()) }()
	s, err := c.reach(ctx, warnings(streams.Err), true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.openBlobs(ctx, c.BlobURL); err != nil {
		return err
	}
	start := time.Now()
	line := newProgressLine(streams.Err)
	made, err := backup.Make(ctx, place, backup.Options{DSN: s.DSN, Blobs: s.Blobs, Keys: keys, Release: cmp.Or(version, "development"), Keep: c.Keep, Meter: line.meter()})
	line.done()
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	if c.JSON {
		err = printJSON(streams.Out, map[string]any{
			"name": made.Name, "schema": made.About.Schema.Studio, "rows": made.Contents.Rows(), "files": made.Contents.Blobs, "bytes": made.About.Bytes, "new_files": made.New,
			"new_bytes": made.NewBytes, "lost": orEmpty(made.Contents.Lost), "removed": made.Pruned.Backups, "encrypted": made.About.Encryption != nil, "seconds": seconds,
		})
	} else {
		fmt.Fprintf(streams.Out, "Backup %s in %s: %d rows, %d files, %s (%d files new, %s written) in %.1f s%s\n",
			made.Name, place, made.Contents.Rows(), made.Contents.Blobs, text.Bytes(made.About.Bytes), made.New, text.Bytes(made.NewBytes), seconds, sealedAs(made.About))
		if made.Pruned.Backups+made.Pruned.Objects > 0 {
			fmt.Fprintf(streams.Out, "Removed %d older backups and %d files (%s) that no other needs.\n", made.Pruned.Backups, made.Pruned.Objects, text.Bytes(made.Pruned.Bytes))
		}
		if made.Pruned.Waits {
			fmt.Fprintln(streams.Out, "Files of older backups stay for now: another backup is being written there, or is damaged.")
		}
		printLost(streams, made.Contents.Lost)
	}
	if n := len(made.Contents.Lost); n > 0 && err == nil {
		return fmt.Errorf("the backup is complete but for what the studio has lost: %d %w", n, errLost)
	}
	return err
}

// outside refuses a folder that lies in the studio's own: it would be lost with them, and a sweep of the blobs would take it for theirs.
func outside(to, data, blobs string) error {
	folder, err := backup.Folder(to)
	if err != nil || folder == "" {
		return err
	}
	for _, own := range []string{data, blobs} {
		if own == "" {
			continue
		}
		if own, err = backup.Folder(own); err != nil || own == "" {
			continue
		}
		if below, err := filepath.Rel(resolved(own), resolved(folder)); err == nil && filepath.IsLocal(below) {
			return fmt.Errorf("%s lies in the studio's own folder %s, and would be lost with it: name a folder outside, best on another disk", folder, own)
		}
	}
	if _, err := os.Stat(filepath.Dir(folder)); err != nil {
		return fmt.Errorf("%s cannot be made: %w (is the disk mounted?)", folder, err)
	}
	return nil
}

func sealedAs(a backup.About) string {
	switch {
	case a.Encryption == nil:
		return ", not encrypted"
	case a.Encryption.Passphrase:
		return ", encrypted with the passphrase"
	}
	return ", encrypted to " + strings.Join(a.Encryption.Recipients, ", ")
}

func orEmpty(lost []backup.Lost) []backup.Lost {
	if lost == nil {
		return []backup.Lost{}
	}
	return lost
}

// maxLost bounds how many lost files are listed for people.
const maxLost = 20

func printLost(streams *stdio, lost []backup.Lost) {
	for i, l := range lost {
		if i == maxLost {
			fmt.Fprintf(streams.Out, "and %d more (--json lists all)\n", len(lost)-maxLost)
			return
		}
		fmt.Fprintf(streams.Out, "not in it: %s (%s)\n", l.Reason, strings.Join(l.Uses, ", "))
	}
}

// errDamagedBackup is the error that ends the check of a damaged backup with exit code 3.
var errDamagedBackup = errors.New("parts of the backup are damaged or missing: remove them, and back up again while the studio has the files")

// backupVerifyCommand checks a backup.
type backupVerifyCommand struct {
	backupFlags
	JSON bool `name:"json" help:"Print one JSON document."`
}

// Help says what is done without a key.
func (backupVerifyCommand) Help() string {
	return "Every part is read and compared with the hash that was written with it. An encrypted backup is checked without a key too, byte by byte; with one it is opened as well."
}

// Run checks it.
func (c *backupVerifyCommand) Run(ctx context.Context, streams *stdio) (err error) {
	place, opened, err := c.open(ctx)
	if err != nil {
		return damagedBackup(err)
	}
	defer func() { err = errors.Join(err, place.Close()) }()
	start := time.Now()
	line := newProgressLine(streams.Err)
	v, err := opened.Verify(ctx, line.meter())
	line.done()
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(streams.Out, v)
	} else {
		fmt.Fprintf(streams.Out, "Backup %s: %d parts and %d files, %s, read in %.1f s\n", v.Name, v.Parts, v.Objects, text.Bytes(v.Bytes), time.Since(start).Seconds())
		if !v.Opened {
			fmt.Fprintln(streams.Out, "It is encrypted and was not opened: its bytes were compared alone.")
		}
		for _, d := range v.Damaged {
			fmt.Fprintln(streams.Out, "damaged:", d)
		}
		printLost(streams, v.Lost)
		if len(v.Damaged) == 0 {
			fmt.Fprintln(streams.Out, "all is well")
		}
	}
	if n := len(v.Damaged); n > 0 && err == nil {
		return fmt.Errorf("%d %w", n, errDamagedBackup)
	}
	return err
}

// damagedBackup gives the error of a damaged backup the exit code of one.
func damagedBackup(err error) error {
	var damaged *backup.DamagedError
	if errors.As(err, &damaged) {
		return fmt.Errorf("%w: %w", err, errDamagedBackup)
	}
	return err
}

// backupListCommand lists backups.
type backupListCommand struct {
	From string `arg:"" help:"Where the backups are: a folder or s3://BUCKET/PREFIX?region=R."`
	JSON bool   `name:"json" help:"Print one JSON document."`
}

// Run lists them.
func (c *backupListCommand) Run(ctx context.Context, streams *stdio) (err error) {
	place, err := backup.OpenPlace(ctx, c.From)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, place.Close()) }()
	all, err := backup.Backups(ctx, place)
	if err != nil {
		return err
	}
	type row struct {
		Name      string `json:"name"`
		Release   string `json:"release,omitempty"`
		Schema    int64  `json:"schema,omitempty"`
		Files     int    `json:"files"`
		Bytes     int64  `json:"bytes"`
		Encrypted bool   `json:"encrypted"`
		Error     string `json:"error,omitempty"`
	}
	rows := []row{}
	for _, l := range all {
		r := row{Name: l.Name, Release: l.About.Release, Schema: l.About.Schema.Studio, Files: l.About.Objects, Bytes: l.About.Bytes, Encrypted: l.About.Encryption != nil}
		if l.Err != nil {
			r.Error = l.Err.Error()
		}
		rows = append(rows, r)
	}
	if c.JSON {
		return printJSON(streams.Out, rows)
	}
	out := tabwriter.NewWriter(streams.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "BACKUP\tRELEASE\tSCHEMA\tFILES\tSIZE\t")
	for i, r := range rows {
		if r.Error != "" {
			fmt.Fprintf(out, "%s\t%s\t\t\t\t\n", r.Name, r.Error)
			continue
		}
		fmt.Fprintf(out, "%s\t%s\t%d\t%d\t%s\t%s\n", r.Name, r.Release, r.Schema, r.Files, text.Bytes(r.Bytes), strings.TrimPrefix(sealedAs(all[i].About), ", "))
	}
	return out.Flush()
}

// backupKeygenCommand makes a key.
type backupKeygenCommand struct {
	Out string `arg:"" type:"path" help:"The new file with the secret key. Keep it where the backups are not: without it they cannot be read."`
}

// Run makes it. A file that is there is not overwritten: backups may need it.
func (c *backupKeygenCommand) Run(streams *stdio) error {
	if _, err := os.Lstat(c.Out); err == nil {
		return fmt.Errorf("%s is there already, and backups may need it: name another file", c.Out)
	}
	secret, public, err := backup.Generate(time.Now())
	if err != nil {
		return err
	}
	file, err := durable.Create(c.Out)
	if err != nil {
		return err
	}
	defer func() { _ = file.Cleanup() }()
	if err := file.Chmod(0o600); err != nil {
		return err
	}
	if _, err := file.Write(secret); err != nil {
		return err
	}
	if err := file.Finish(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(streams.Out, "The secret key is in %s. Keep it where the backups are not; without it they cannot be read.\nBack up with: studio backup --recipient %s DIR\n", c.Out, public)
	return err
}
