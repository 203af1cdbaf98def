package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/internal/lock"
)

// Server is a running PostgreSQL. Should it die, it is started again until Stop.
type Server struct {
	config   Config
	binaries binaries
	account  account
	lock     lock.Hold

	mu      sync.Mutex
	current *process
	stop    context.CancelFunc // ends the watch
	watched chan struct{}      // closed when the watch has ended
	once    sync.Once
	stopErr error
}

// Start brings a server up on the data folder: it makes the cluster if there is none, recovers one
// whose studio was killed, and returns when the database answers.
func Start(ctx context.Context, c Config) (*Server, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("starting PostgreSQL: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.StartTimeout, fmt.Errorf("it took longer than %v", c.StartTimeout))
	defer cancel()
	s := &Server{config: c, watched: make(chan struct{})}
	if s.account, err = serverAccount(); err != nil {
		return nil, err
	}
	if err := s.prepareFolder(); err != nil {
		return nil, fmt.Errorf("preparing the data folder %s: %w", c.DataDir, err)
	}
	if s.lock, err = lockFolder(c.DataDir); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		s.lock.Close()
		return nil, fmt.Errorf("starting PostgreSQL on %s: %w", c.DataDir, err)
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go s.watch(watching)
	return s, nil
}

// prepareFolder makes the data folder and checks that the server's user gets into it.
func (s *Server) prepareFolder() error {
	mode := os.FileMode(0o700)
	if s.account.dropped {
		mode = 0o755
	}
	if err := os.MkdirAll(s.config.DataDir, mode); err != nil {
		return err
	}
	if err := s.account.reaches(s.config.DataDir); err != nil {
		return fmt.Errorf("PostgreSQL does not run as root but as %s: %w; choose a data folder outside it, such as /var/lib/abn-studio, or set DATABASE_URL", s.account.name, err)
	}
	return s.account.own(s.config.socketDir())
}

func (s *Server) start(ctx context.Context) error {
	c := s.config
	cluster := c.cluster()
	major, err := clusterMajor(cluster)
	if err != nil {
		return err
	}
	if s.binaries, err = findBinaries(ctx, c.BinDir, major); err != nil {
		return err
	}
	if major != 0 && major != s.binaries.major {
		return fmt.Errorf("%w: %s is of PostgreSQL %d, %s is PostgreSQL %d; install %d, or move the folder away to begin anew",
			ErrOtherVersion, cluster, major, s.binaries.dir, s.binaries.major, major)
	}
	if s.binaries, err = prepareNPM(s.binaries, s.account, c.DataDir); err != nil {
		return err
	}
	if err := stopOrphan(ctx, cluster, c.socketDir(), c.Logger); err != nil {
		return err
	}
	if major == 0 {
		if err := createCluster(ctx, s.binaries, s.account, cluster, !c.NoSync); err != nil {
			return err
		}
	}
	if s.current, err = s.launch(ctx); err != nil {
		return err
	}
	if err := s.createDatabase(ctx); err != nil {
		return errors.Join(err, s.current.end())
	}
	return nil
}

// DSN is the address of the studio's database, in libpq's keyword form.
func (s *Server) DSN() string { return dsn(s.config.socketDir(), s.config.Database) }

// AdminDSN is the address of the database postgres, which always exists, to make others from.
func (s *Server) AdminDSN() string { return dsn(s.config.socketDir(), "postgres") }

// PID is the server's process number, 0 while it is being started again.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return 0
	}
	return s.current.command.Process.Pid
}

// Stop shuts the server down cleanly (fast shutdown: connections are cut, no committed data is lost) and unlocks the data folder.
// Calling it again does nothing.
func (s *Server) Stop() error {
	s.once.Do(func() {
		s.stop()
		<-s.watched
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.current != nil {
			s.stopErr = s.current.end()
			s.current = nil
		}
		if err := s.lock.Close(); err != nil && s.stopErr == nil {
			s.stopErr = err
		}
	})
	return s.stopErr
}

// watch starts the server again whenever it ends without Stop. It tries without end, since the cause, such as a full disk, may pass.
func (s *Server) watch(ctx context.Context) {
	defer close(s.watched)
	wait := 100 * time.Millisecond
	for {
		s.mu.Lock()
		current := s.current
		s.mu.Unlock()
		if current != nil {
			select {
			case <-ctx.Done():
				return
			case <-current.done:
			}
			s.config.Logger.ErrorContext(ctx, "PostgreSQL ended by itself; starting it again", "reason", current.err, "log", s.config.logFile())
			s.mu.Lock()
			s.current = nil
			s.mu.Unlock()
		}
		next, err := s.launch(ctx)
		if err == nil {
			s.mu.Lock()
			s.current = next
			s.mu.Unlock()
			s.config.Logger.InfoContext(ctx, "PostgreSQL is back", "pid", next.command.Process.Pid)
			wait = 100 * time.Millisecond
			continue
		}
		if ctx.Err() != nil {
			return
		}
		s.config.Logger.ErrorContext(ctx, "PostgreSQL does not start", "reason", err, "again_in", wait)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, 10*time.Second)
	}
}

// process is one run of the server program.
type process struct {
	command *exec.Cmd
	done    chan struct{} // closed when it has ended
	err     error         // why it did; read after done
}

// launch runs the server and waits until it answers.
func (s *Server) launch(ctx context.Context) (*process, error) {
	c := s.config
	log, err := openLog(c.logFile())
	if err != nil {
		return nil, err
	}
	defer log.Close() // the server has its own descriptor
	settings := map[string]string{
		"listen_addresses": "", "unix_socket_directories": c.socketDir(), "unix_socket_permissions": "0700", "port": "5432",
		"max_connections": "100", "shared_buffers": "128MB", "timezone": "UTC", "log_timezone": "UTC", "log_destination": "stderr",
		"logging_collector": "off", "wal_level": "minimal", "max_wal_senders": "0",
	}
	if c.NoSync {
		// A commit is still written to the system before it is confirmed, so that a killed server loses nothing.
		settings["fsync"], settings["full_page_writes"] = "off", "off"
		settings["autovacuum"], settings["max_connections"], settings["shared_buffers"] = "off", "200", "64MB"
	}
	arguments := []string{"-D", c.cluster()}
	for name, value := range settings {
		arguments = append(arguments, "-c", name+"="+value)
	}
	command := exec.Command(s.binaries.postgres(), arguments...)
	command.Dir = c.cluster()
	command.Env = environment()
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = s.account.attributes()
	dieWithParent(command.SysProcAttr)
	p := &process{command: command, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The thread that starts the server must live as long as the server: see dieWithParent.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			p.err = command.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("running %s: %w", command.Path, err)
	}
	if err := s.answers(ctx, p); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

// answers waits until the server takes connections, or has ended.
func (s *Server) answers(ctx context.Context, p *process) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.AdminDSN())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended at once (%w); its log says:\n%s", p.err, lastLines(s.config.logFile(), 8))
		case <-ctx.Done():
			return fmt.Errorf("waiting for an answer: %w; its log says:\n%s", context.Cause(ctx), lastLines(s.config.logFile(), 8))
		case <-tick.C:
		}
	}
}

func (s *Server) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.AdminDSN())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", s.config.Database).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{s.config.Database}.Sanitize())
	return err
}

// end asks the process for a fast shutdown, then for an immediate one, then kills it.
func (p *process) end() error {
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGINT, 30 * time.Second}, {syscall.SIGQUIT, 10 * time.Second}, {syscall.SIGKILL, 5 * time.Second}} {
		if err := p.command.Process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stopping PostgreSQL: %w", err)
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(step.wait):
		}
	}
	return errors.New("stopping PostgreSQL: it does not end")
}

// openLog opens the server's log; one that has grown beyond 16 MiB is put aside first.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > 16<<20 {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// lastLines returns the end of a log, for an error message.
func lastLines(path string, n int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		slog.Debug("reading PostgreSQL's log", "reason", err)
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
