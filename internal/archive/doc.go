// Package archive writes a project with all that was made in it into one file that another studio reads, and reads such files. docs/archives.md
// describes the format.
//
//	write.go   Write: the rows of annotator.Service.PackProject, and the files they need → a zip
//	read.go    Open: the description, and whether this studio can read it; Archive is annotator's source of rows and files
//	about.go   the description, archive.json
//
// Both keep one row, and of each entry its name, in memory. The rows themselves are internal/postgres's (archive.go there).
package archive
