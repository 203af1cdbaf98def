// Package disk has what the studio's folders on disk share.
//
//	full.go       Full: telling the error of a full disk from others
//	check.go      Check: whether a folder can be written to, for health checks
//	temporary.go  temporary files, which are swept once their process is gone
//	folder.go     temporary folders, likewise
//	free_*.go     Free: how much room there is
package disk
