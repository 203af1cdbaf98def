package annotator

import (
	"context"
	"time"
)

// Worker is a process that works on jobs, as it was last heard of.
type Worker struct {
	ID   string // its River client's ID
	Host string
	PID  int
	// What features of frozen extractors take on its disk, and may take, in bytes. Workers that share a folder say so of the same one.
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
