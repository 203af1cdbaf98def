//go:build !linux && !darwin

package disk

// Free is how many bytes may still be written below a folder; false where the system does not say.
func Free(string) (int64, bool) { return 0, false }
