// Package disk is what the studio's folders have in common.
//
//	full.go       Full: a disk that takes no more, told from other errors
//	check.go      Check: whether a folder can be written to, for health checks
//	temporary.go  files on their way, which are swept once their process is gone
//	folder.go     folders of a process alone, likewise
//	free_*.go     Free: how much room there is
package disk
