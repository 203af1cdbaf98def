package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"sync"
	"time"
)

// supervised is a program that is started again whenever it ends, as a service is.
type supervised struct {
	mu      sync.Mutex
	current *exec.Cmd
	log     bytes.Buffer // of the one that runs
	ended   chan struct{}
}

// studioCommand makes commands of the studio with arguments.
func studioCommand(args ...string) func() *exec.Cmd {
	return func() *exec.Cmd {
		c := exec.Command(os.Args[0], args...)
		c.Env = append(os.Environ(), asProgram+"=1", "DATABASE_URL=", "STUDIO_DATA=", "STUDIO_BLOBS=")
		return c
	}
}

// supervise runs what command makes, again and again, until ctx ends. A command that has no place for what it says on standard error is
// given one.
func supervise(ctx context.Context, command func() *exec.Cmd) *supervised {
	s := &supervised{ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		for ctx.Err() == nil {
			s.mu.Lock()
			s.log.Reset()
			s.current = command()
			if s.current.Stderr == nil {
				s.current.Stderr = &s.log
			}
			err := s.current.Start()
			s.mu.Unlock()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, s.kill)
			_ = s.current.Wait()
			stop()
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return s
}

// kill is kill -9.
func (s *supervised) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.current.Process != nil {
		_ = s.current.Process.Kill() // it may have ended by itself
	}
}

// pid is the number of the process that runs, 0 before the first.
func (s *supervised) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || s.current.Process == nil {
		return 0
	}
	return s.current.Process.Pid
}

// lastLog is what the last process said, once ended is closed.
func (s *supervised) lastLog() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}
