package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// ErrOtherVersion is returned for a data folder that another major version of PostgreSQL wrote.
var ErrOtherVersion = errors.New("the data was written by another version of PostgreSQL")

// superuser is the database role the studio connects as.
const superuser = "studio"

// clusterMajor reads which PostgreSQL wrote the cluster; 0 if there is none yet.
func clusterMajor(cluster string) (int, error) {
	data, err := os.ReadFile(filepath.Join(cluster, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	major, err := strconv.Atoi(string(bytes.TrimSpace(data)))
	if err != nil {
		return 0, fmt.Errorf("%s/PG_VERSION is damaged: %w", cluster, err)
	}
	return major, nil
}

// createCluster runs initdb in a folder beside the cluster's and renames that folder when it is complete, so that an interrupted initdb
// is run again.
func createCluster(ctx context.Context, b binaries, who account, cluster string, sync bool) error {
	fresh := cluster + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := who.own(fresh); err != nil {
		return err
	}
	arguments := []string{"--pgdata", fresh, "--username", superuser, "--encoding", "UTF8", "--auth", "trust", "--no-instructions"}
	if !sync {
		arguments = append(arguments, "--no-sync")
	}
	// C.UTF-8 sorts by code point and folds the case of every alphabet; where a system lacks it, C.
	var failed error
	for _, locale := range []string{"C.UTF-8", "C"} {
		command := exec.CommandContext(ctx, b.initdb(), append(arguments, "--locale", locale)...)
		command.Dir = fresh
		command.Env = environment()
		command.SysProcAttr = who.attributes()
		out, err := command.CombinedOutput()
		if err == nil {
			return os.Rename(fresh, cluster)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		failed = fmt.Errorf("creating a database in %s: %w\n%s", cluster, err, bytes.TrimSpace(out))
	}
	return failed
}

// environment returns our environment for PostgreSQL's programs, without PG… variables, which would change what they do.
func environment() []string {
	env := []string{"LC_MESSAGES=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
