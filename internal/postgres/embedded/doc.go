// Package embedded runs a PostgreSQL server of the studio's own, for installations that have none.
//
//	config.go    Config, and where data and socket are
//	server.go    Start, DSN, Stop, and the watch that restarts a server that died
//	attach.go    using the server that another studio process runs
//	binaries.go  finding initdb and postgres: a given folder, an installed server, the npm package
//	npm.go       the npm package's links, and a copy where the server's user cannot read it
//	account.go   the unprivileged user that the server runs as if the studio is root, and what that user can reach
//	process_*.go ending the server when the studio is killed
//	cluster.go   the data: initdb, its major version
//	orphan.go    stopping a server that outlived the studio that started it
//	lock.go      one studio per data folder
//
// The server listens on a Unix socket in a folder that only its user (and root) can enter, on no
// network port, and asks for no password there. It ends with the studio, also when that is killed.
package embedded
