// Package embedded runs a PostgreSQL server of the studio's own, for whoever has none.
//
//	server.go    Start, DSN, Stop, and the watch that starts a server that died again
//	binaries.go  finding initdb and postgres: a given folder, an installed server, the npm package
//	npm.go       the npm package's links, and a copy where the server's user cannot read it
//	account.go   the unprivileged user a server of root runs as, and what that user can reach
//	cluster.go   the data: initdb, its major version
//	orphan.go    a server that outlived the studio which started it
//	lock.go      one studio per data folder
//
// The server listens on a Unix socket in a folder that only its user (and root) can enter, on no
// network port, and asks for no password there. It ends with the studio, also when that is killed.
package embedded
