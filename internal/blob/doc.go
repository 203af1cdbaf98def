// Package blob keeps files by the SHA-256 of their bytes: pictures, masks, models. The same bytes are
// kept once, a file never changes, and a name proves what is in it.
//
//	store.go   Store: Put, Open, Path, Exists
//	folder.go  files in a folder, also the cache in front of a bucket
//	bucket.go  a bucket of an S3 endpoint, for several machines
//	link.go    GiveLinks, Link: addresses at which a bucket hands out a file itself
//	sweep.go   removing files that no row refers to
//	verify.go  List; Verify: whether a file's bytes still have its hash; Stream: a file read once, and checked
//	owner.go   which studio owns the store, and so may sweep it
//
// Addresses: a folder's path or file:///path; s3://BUCKET?region=R&prefix=P/ with the credentials the
// AWS SDK finds, and endpoint=https://HOST&use_path_style=true for endpoints that are not AWS.
package blob
