package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// stopOrphan ends a server that still runs on the cluster though no studio does: the one that
// started it was killed. The caller holds the folder's lock, so nobody else uses that server.
func stopOrphan(ctx context.Context, cluster, socketDir string, log *slog.Logger) error {
	path := filepath.Join(cluster, "postmaster.pid")
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(data), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 || !alive(pid) {
		return nil // PostgreSQL itself removes the file of a server that is gone
	}
	if !serves(ctx, pid, cluster, socketDir) {
		// Another process has this number now. PostgreSQL would take it for a running server and not start.
		log.InfoContext(ctx, "removing the pid file of a PostgreSQL that was killed", "pid", pid, "folder", cluster)
		return os.Remove(path)
	}
	log.InfoContext(ctx, "stopping a PostgreSQL whose studio was killed", "pid", pid, "folder", cluster)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stopping PostgreSQL %d, which was left running on %s: %w", pid, cluster, err)
		}
		if gone(ctx, pid, 20*time.Second) {
			return nil
		}
	}
	return fmt.Errorf("PostgreSQL %d was left running on %s and does not stop: end it by hand", pid, cluster)
}

// serves reports whether process pid is a server of the cluster: by its command line where the
// system shows it, else by asking whoever answers on the cluster's socket.
func serves(ctx context.Context, pid int, cluster, socketDir string) bool {
	if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
		return strings.Contains(string(line), "postgres") && strings.Contains(string(line), cluster)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn(socketDir, "postgres"))
	if err != nil {
		return false
	}
	defer conn.Close(ctx)
	var folder string
	return conn.QueryRow(ctx, "SHOW data_directory").Scan(&folder) == nil && folder == cluster
}

// alive reports whether there is a process of that number. One that has ended and was not yet waited
// for counts as gone.
func alive(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil {
		return errors.Is(err, syscall.EPERM)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	// "pid (name) state …", where a name may hold anything.
	after := string(status[bytes.LastIndexByte(status, ')')+1:])
	return !strings.HasPrefix(after, " Z")
}

// gone waits for a process that is not our child to end.
func gone(ctx context.Context, pid int, most time.Duration) bool {
	deadline := time.Now().Add(most)
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if !alive(pid) {
			return true
		}
		select {
		case now := <-tick.C:
			if now.After(deadline) {
				return false
			}
		case <-ctx.Done():
			return false
		}
	}
}
