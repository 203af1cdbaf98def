package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Config says where a server keeps its data and how careful it is with it.
type Config struct {
	// DataDir is the studio's data folder; the cluster is DataDir/postgres. Default: DefaultDataDir.
	DataDir string
	// BinDir is the folder of initdb and postgres; "" searches (see findBinaries).
	BinDir string
	// Database is the database DSN leads to, made if need be. Default: "studio".
	Database string
	// NoSync trades safety against power loss for speed: for tests.
	NoSync bool
	// StartTimeout bounds initdb, recovery and start together. Default: two minutes.
	StartTimeout time.Duration
	// Logger logs starts and stops. Default: slog.Default.
	Logger *slog.Logger
}

// DefaultDataDir is /var/lib/abn-studio for root, else abn-studio in $XDG_DATA_HOME (dataHome, which
// the caller reads) or in ~/.local/share.
func DefaultDataDir(dataHome string) (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/abn-studio", nil
	}
	if dataHome == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("finding a data folder: %w; name one", err)
		}
		dataHome = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(dataHome, "abn-studio"), nil
}

// Cluster is the folder of the cluster below a data folder.
func Cluster(dataDir string) string { return Config{DataDir: dataDir}.cluster() }

// Exists reports whether a data folder has a cluster.
func Exists(dataDir string) bool {
	_, err := os.Stat(filepath.Join(Config{DataDir: dataDir}.cluster(), "PG_VERSION"))
	return err == nil
}

func (c Config) withDefaults() (Config, error) {
	if c.DataDir == "" {
		return c, errors.New("no data folder is given")
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return c, err
	}
	c.DataDir = dir
	c.Database = cmp.Or(c.Database, "studio")
	c.StartTimeout = cmp.Or(c.StartTimeout, 2*time.Minute)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c, nil
}

func (c Config) cluster() string { return filepath.Join(c.DataDir, "postgres") }
func (c Config) logFile() string { return filepath.Join(c.DataDir, "postgres.log") }

// socketDir is the folder of the server's socket. A socket's path has at most 107 bytes on Linux and
// 103 on macOS, so a long data folder's is in the temporary folder, under a name made of the data folder's.
func (c Config) socketDir() string {
	dir := filepath.Join(c.DataDir, "postgres-run")
	if len(dir)+len("/.s.PGSQL.5432") <= 100 {
		return dir
	}
	sum := fnv.New64a()
	sum.Write([]byte(c.DataDir))
	return filepath.Join("/tmp", fmt.Sprintf("abn-studio-%x", sum.Sum64()))
}

// dsn is the address of a database behind a socket, in libpq's keyword form (a folder may hold any character).
func dsn(socketDir, database string) string {
	return fmt.Sprintf("host=%s user=%s dbname=%s sslmode=disable", quote(socketDir), superuser, quote(database))
}

func quote(s string) string {
	out := []byte{'\''}
	for i := range len(s) {
		if s[i] == '\'' || s[i] == '\\' {
			out = append(out, '\\')
		}
		out = append(out, s[i])
	}
	return string(append(out, '\''))
}
