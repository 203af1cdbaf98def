// Package backup writes a whole studio, the rows of its database and its blobs, into a folder or a bucket, while the studio runs, and
// restores it. docs/adr/0040 says why it is as it is.
//
//	format.go    what lies where, and the descriptions
//	place.go     Place: a folder or a bucket
//	keys.go      Keys: encryption with age, by public keys or a passphrase
//	parts.go     parts of a backup, written and read: compressed, perhaps encrypted, with their hash
//	make.go      Make: a backup; copy.go copies its blobs
//	prune.go     older backups are removed
//	read.go      List, Open: finding a backup; a damaged, half or newer one is refused
//	verify.go    Backup.Verify
//	restore.go   Backup.Restore
//
// SQL is internal/postgres's: Snapshot and Restore.
package backup
