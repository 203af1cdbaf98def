package blob

import "time"

// SetPatience shortens how long a store waits for its bucket.
func SetPatience(s *Store, d time.Duration) { s.bucket.patience, s.bucket.stall = d, d }
