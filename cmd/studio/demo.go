package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/web"
)

// demoCommand serves a project that it makes itself, to try everything on.
type demoCommand struct {
	storageFlags
	featureFlags
	Listen  string `default:"127.0.0.1:8080" help:"Address to answer on: this machine only, since everybody knows the demo's passwords."`
	Edits   int    `default:"60" help:"Approved edits, made from the birds' masks, to begin with."`
	Seed    int64  `default:"1" help:"Seed of the pictures."`
	Threads int    `default:"0" help:"Threads of ONNX Runtime; 0: all cores."`
	JSON    bool   `name:"json" help:"Print address and sign-ins as one JSON document."`
}

// demoAccounts are the demo's accounts. Only the demo makes them, and it answers on loopback only.
var demoAccounts = []web.Account{
	{Name: "Ana Annotator", Email: "ana@demo.invalid", Password: "paint-the-bird", Role: string(annotator.RoleAnnotator)},
	{Name: "Rui Reviewer", Email: "rui@demo.invalid", Password: "judge-the-map", Role: string(annotator.RoleReviewer)},
	{Name: "Ada Admin", Email: "ada@demo.invalid", Password: "run-the-round", Role: string(annotator.RoleAdmin)},
}

// Run serves the demo until it is interrupted. Its pages answer at once; its project is filled meanwhile.
func (c *demoCommand) Run(ctx context.Context, streams *stdio) (err error) {
	if !loopback(c.Listen) {
		return fmt.Errorf("--listen %s: the demo's passwords are public, so it answers on loopback only; use 'studio serve' for others", c.Listen)
	}
	featureBytes, err := c.bytes()
	if err != nil {
		return err
	}
	if c.DataDir == "" {
		folder, err := c.dataDir()
		if err != nil {
			return err
		}
		c.DataDir = filepath.Join(folder, "demo")
	}
	listener, err := c.listen()
	if err != nil {
		return err
	}
	defer listener.Close()
	log := warnings(streams.Err)
	s, err := c.openToServe(ctx, log, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	running, err := startStudio(ctx, s, studioConfig{log: log, worker: true, threads: c.Threads, featureBytes: featureBytes, web: web.Config{Accounts: demoAccounts}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, running.stop()) }()
	if err := demoPeople(ctx, running.service); err != nil {
		return err
	}
	if err := c.greet(streams, listener.Addr()); err != nil {
		return err
	}
	serving, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	prepared := make(chan struct{})
	go func() {
		defer close(prepared)
		line := newProgressLine(streams.Err)
		defer line.done()
		options := aviary.DefaultOptions()
		options.Seed = c.Seed
		d := &demo{storage: s, service: running.service, options: options, edits: c.Edits, meter: line.meter(demoPlan(options)...)}
		if err := d.prepare(serving); err != nil && serving.Err() == nil {
			stop(fmt.Errorf("preparing the demo project: %w", err))
		}
	}()
	err = whileCurrent(serving, s, func(ctx context.Context) error { return running.server.Serve(ctx, listener) })
	stop(nil)
	<-prepared
	if cause := context.Cause(serving); err == nil && ctx.Err() == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// listen listens on the address. If the default one is in use, it takes any free port.
func (c *demoCommand) listen() (net.Listener, error) {
	listener, err := listen("--listen", c.Listen)
	if err != nil && c.Listen == "127.0.0.1:8080" {
		return listen("--listen", "127.0.0.1:0")
	}
	return listener, err
}

// greet prints where the demo is and who can sign in.
func (c *demoCommand) greet(streams *stdio, address net.Addr) error {
	url := "http://" + address.String()
	if c.JSON {
		return json.NewEncoder(verbatim(streams.Out)).Encode(map[string]any{"address": url, "accounts": demoAccounts})
	}
	fmt.Fprintf(streams.Out, "\nABN Studio: %s\n\n", url)
	for _, a := range demoAccounts {
		fmt.Fprintf(streams.Out, "  %-10s %s  %s\n", a.Role, a.Email, a.Password)
	}
	fmt.Fprintf(streams.Out, "\nCtrl+C stops it; what was painted stays in %s\n\n", c.DataDir)
	return nil
}

// demoPeople makes those of the three accounts that do not exist yet.
func demoPeople(ctx context.Context, service *annotator.Service) error {
	there, err := service.Users(ctx, annotator.System)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, u := range there {
		known[u.Email] = true
	}
	for _, a := range demoAccounts {
		if known[a.Email] {
			continue
		}
		if _, err := service.CreateUser(ctx, annotator.System, annotator.NewUser{Email: a.Email, Name: a.Name, Password: a.Password, Role: annotator.Role(a.Role)}); err != nil {
			return fmt.Errorf("adding %s: %w", a.Email, err)
		}
	}
	return nil
}
