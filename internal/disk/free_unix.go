//go:build linux || darwin

package disk

import "golang.org/x/sys/unix"

// Room is how many bytes may still be written below a folder, and how many its file system has; false where the system does not say.
func Room(dir string) (free, size int64, known bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, false
	}
	//nolint:unconvert // Bsize has another type on macOS
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize), true
}

// Device tells disks apart: folders on the same one have the same number; false where the system does not say.
func Device(dir string) (device uint64, known bool) {
	var s unix.Stat_t
	if err := unix.Stat(dir, &s); err != nil {
		return 0, false
	}
	//nolint:unconvert // Dev has another type on macOS
	return uint64(s.Dev), true
}
