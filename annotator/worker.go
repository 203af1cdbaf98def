package annotator

import (
	"context"
	"time"
)

// Worker is a process that works on jobs, with what its last heartbeat said.
type Worker struct {
	ID   string // its River client's ID
	Host string
	PID  int
	// Bytes that cached features take on its disk, and may take. Workers that share a folder report the same one.
	FeatureBytes, FeatureLimit int64
	HeardAt                    time.Time
}

// Workers lists the workers that were heard of within seconds, by host. Admins only.
func (s *Service) Workers(ctx context.Context, actor User) ([]Worker, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return nil, err
	}
	return s.store.Workers(ctx)
}
