//go:build !linux && !darwin

package disk

// Room is how many bytes may still be written below a folder, and how many its file system has; false where the system does not say.
func Room(string) (free, size int64, known bool) { return 0, 0, false }

// Device tells disks apart: folders on the same one have the same number; false where the system does not say.
func Device(string) (device uint64, known bool) { return 0, false }
