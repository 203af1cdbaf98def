package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// insideMachines is set in the process that runs with namespaces of its own.
	insideMachines = "STUDIO_TEST_INSIDE_MACHINES"
	// clockFile is a variable that names a file with the seconds by which the program's clock is off.
	clockFile = "STUDIO_TEST_CLOCK"

	machinesFolder = "/run/studio" // on a file system of the namespaces' own
)

// inNamespaces runs the test that calls it once more, in a process with a network, mounts and process numbers of its own, and fails
// where that fails. It reports whether this is that process: only then the caller goes on. All that is made in there (machines, file
// systems, processes) ends with the process, however it ends.
func inNamespaces(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideMachines) != "" {
		for _, m := range []struct{ from, at, kind, data string }{{"tmpfs", "/run", "tmpfs", "mode=755"}, {"proc", "/proc", "proc", ""}} {
			if err := syscall.Mount(m.from, m.at, m.kind, 0, m.data); err != nil {
				t.Fatalf("mounting %s: %v", m.at, err)
			}
		}
		if err := errors.Join(os.MkdirAll(machinesFolder, 0o755), os.Mkdir("/run/tmp", 0o1777)); err != nil {
			t.Fatal(err)
		}
		t.Setenv("TMPDIR", "/run/tmp")
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: network namespaces need root")
	}
	for _, program := range []string{"ip", "setpriv"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: there is no program %q", program)
		}
	}
	runtime.LockOSThread() // the process below is killed when the thread that started it ends
	defer runtime.UnlockOSThread()
	arguments := []string{"-test.run=^" + t.Name() + "$", "-test.v", "-test.count=1"}
	if end, has := t.Deadline(); has {
		arguments = append(arguments, "-test.timeout="+time.Until(end).String())
	}
	again := exec.Command(os.Args[0], arguments...)
	again.Env = append(os.Environ(), insideMachines+"=1")
	again.Stdout, again.Stderr = os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
	}
	if err := again.Start(); err != nil {
		t.Skip("SKIPPED: this kernel, or this container, gives no namespaces:", err)
	}
	if err := again.Wait(); err != nil {
		t.Fatal(err)
	}
	return false
}

// lan is machines on one bridge, each in a network namespace of its own, and the test itself as the machine of people.
type lan struct {
	t        *testing.T
	machines []*machine
	people   *machine
	cuts     sync.Mutex
	cut      map[[2]*machine]int // by how many faults nothing comes from one to the other
}

// machine is a place in the network.
type machine struct {
	name   string
	number int // in the network, from 1
	data   string
	runs   *supervised
	ready  string // address of its /readyz; "": it has none
}

func (m *machine) address() string    { return fmt.Sprintf("10.93.0.%d", m.number) }
func (m *machine) at(port int) string { return net.JoinHostPort(m.address(), strconv.Itoa(port)) }
func (m *machine) hardware() string   { return fmt.Sprintf("02:00:00:00:00:%02x", m.number) }
func (m *machine) clock() string      { return filepath.Join(machinesFolder, m.name+".clock") }
func (m *machine) file() string       { return filepath.Join(machinesFolder, m.name+".log") }
func (m *machine) String() string     { return m.name }
func (m *machine) hub() bool          { return m.number == 1 }
func (m *machine) ip(args ...string) []string {
	if m.hub() {
		return args
	}
	return append([]string{"-n", m.name}, args...)
}

// device is the machine's network card, as it sees it.
func (m *machine) device() string {
	if m.hub() {
		return "lan"
	}
	return "eth0"
}

// nobody is the address of a card that no machine has: what is sent there is lost on the way, and its sender is not told.
const nobody = "02:00:00:00:00:ff"

func ipCommand(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// newLAN makes machines of names, with a folder each that is a file system of its own of so many MiB.
func newLAN(t *testing.T, size int, names ...string) *lan {
	t.Helper()
	n := &lan{t: t, people: &machine{name: "people", number: 1}, cut: map[[2]*machine]int{}}
	n.machines = []*machine{n.people}
	commands := [][]string{
		{"link", "set", "lo", "up"}, {"link", "add", "lan", "address", n.people.hardware(), "type", "bridge"},
		{"addr", "add", n.people.address() + "/24", "dev", "lan"}, {"link", "set", "lan", "up"},
	}
	for i, name := range names {
		m := &machine{name: name, number: i + 2, data: filepath.Join(machinesFolder, name)}
		n.machines = append(n.machines, m)
		commands = append(commands, []string{"netns", "add", name},
			[]string{"link", "add", "v-" + name, "type", "veth", "peer", "name", "eth0", "address", m.hardware(), "netns", name},
			[]string{"link", "set", "v-" + name, "master", "lan", "up"}, m.ip("link", "set", "lo", "up"),
			m.ip("addr", "add", m.address()+"/24", "dev", "eth0"), m.ip("link", "set", "eth0", "up"))
		if err := os.Mkdir(m.data, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", m.data, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=755", size)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range commands {
		if err := ipCommand(c...); err != nil {
			t.Fatal(err)
		}
	}
	for _, from := range n.machines {
		for _, to := range n.machines {
			if from != to {
				n.route(from, to, to.hardware())
			}
		}
	}
	return n
}

// route says to which card one machine sends what is for another. It is fixed, so that no machine asks and none is told that nobody answers.
func (n *lan) route(from, to *machine, hardware string) {
	if err := ipCommand(from.ip("neigh", "replace", to.address(), "lladdr", hardware, "dev", from.device(), "nud", "permanent")...); err != nil {
		n.t.Error(err)
	}
}

// lose loses all that one machine sends to another, until heal is called.
func (n *lan) lose(from, to *machine) (heal func()) {
	n.cuts.Lock()
	defer n.cuts.Unlock()
	way := [2]*machine{from, to}
	if n.cut[way]++; n.cut[way] == 1 {
		n.route(from, to, nobody)
	}
	return func() {
		n.cuts.Lock()
		defer n.cuts.Unlock()
		if n.cut[way]--; n.cut[way] == 0 {
			n.route(from, to, to.hardware())
		}
	}
}

// run starts a program on a machine, and again whenever it ends. What it says goes to a file.
func (n *lan) run(ctx context.Context, m *machine, environment []string, as *syscall.Credential, program string, args ...string) {
	n.t.Helper()
	log, err := os.OpenFile(m.file(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		n.t.Fatal(err)
	}
	m.runs = supervise(ctx, func() *exec.Cmd {
		// "ip netns exec" becomes the program itself: its process is the program's. It needs root, so that who runs the program changes after it.
		arguments := []string{"netns", "exec", m.name}
		if as != nil {
			arguments = append(arguments, "setpriv", fmt.Sprintf("--reuid=%d", as.Uid), fmt.Sprintf("--regid=%d", as.Gid), "--clear-groups")
		}
		c := exec.Command("ip", append(append(arguments, program), args...)...)
		c.Env = append(os.Environ(), "DATABASE_URL=", "STUDIO_DATA=", "STUDIO_BLOBS=", clockFile+"="+m.clock(), insideMachines+"=")
		c.Env = append(c.Env, environment...)
		c.Stdout, c.Stderr = log, log
		_, _ = fmt.Fprintf(log, "--- %s starts\n", time.Now().Format(time.TimeOnly))
		return c
	})
}

// signalTree sends a signal to a process and all that it started.
func signalTree(pid int, s syscall.Signal) {
	if pid == 0 {
		return
	}
	_ = syscall.Kill(pid, s) // it may have ended by itself
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for child := range strings.FieldsSeq(string(text)) {
		if n, err := strconv.Atoi(child); err == nil {
			signalTree(n, s)
		}
	}
}

// pause stops what runs on a machine where it is, until heal is called.
func (m *machine) pause() (heal func()) {
	pid := m.runs.pid()
	signalTree(pid, syscall.SIGSTOP)
	return func() { signalTree(pid, syscall.SIGCONT) }
}

// fill fills the machine's file system, until heal is called.
func (m *machine) fill(t *testing.T) (heal func()) {
	t.Helper()
	name := filepath.Join(m.data, "filler")
	filler, err := os.Create(name)
	if err != nil {
		t.Error(err)
		return func() {}
	}
	for _, err = io.Copy(filler, zeros{}); err == nil; {
	}
	filler.Close()
	again := time.NewTicker(time.Second) // what is freed meanwhile is taken too
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-again.C:
				if f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0); err == nil {
					_, _ = io.Copy(f, zeros{})
					f.Close()
				}
			}
		}
	}()
	return func() {
		again.Stop()
		close(stop)
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

// shift sets the machine's clock so many seconds ahead, until heal is called.
func (m *machine) shift(t *testing.T, seconds int) (heal func()) {
	t.Helper()
	set := func(seconds int) {
		if err := os.WriteFile(m.clock(), []byte(strconv.Itoa(seconds)), 0o644); err != nil {
			t.Error(err)
		}
	}
	set(seconds)
	return func() { set(0) }
}
