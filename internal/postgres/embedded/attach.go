package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Attach returns the address of the server that another studio process runs on the data folder. Commands and workers on the same machine
// use it. It waits a few seconds for a server that is just starting.
func Attach(ctx context.Context, c Config) (string, error) {
	c, err := c.withDefaults()
	if err != nil {
		return "", fmt.Errorf("finding PostgreSQL: %w", err)
	}
	address := dsn(c.socketDir(), c.Database)
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		conn, err := pgx.Connect(ctx, address)
		if err == nil {
			return address, conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the PostgreSQL that another studio runs on %s does not answer: %w", c.DataDir, err)
		case <-tick.C:
		}
	}
}
