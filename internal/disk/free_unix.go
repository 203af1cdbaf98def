//go:build linux || darwin

package disk

import "golang.org/x/sys/unix"

// Free is how many bytes may still be written below a folder; false where the system does not say.
func Free(dir string) (int64, bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, false
	}
	//nolint:unconvert // Bsize has another type on macOS
	return int64(s.Bavail) * int64(s.Bsize), true
}
