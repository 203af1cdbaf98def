// Package space measures what lies on the machine of a server: its folders of caches and of work under way, and the room of its disks.
//
//	machine.go  Machine: measures in the background, and hands out what it last found
//
// The blob store is not measured here, since it may hold a million files: a worker counts it when it lists it anyway (internal/jobs).
package space
