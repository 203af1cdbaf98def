package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"github.com/abn-studio/studio/annotator"
)

// userCommand manages people from the server's own command line.
type userCommand struct {
	Add    userAddCommand    `cmd:"" help:"Add a person."`
	List   userListCommand   `cmd:"" help:"List everybody."`
	Passwd userPasswdCommand `cmd:"" help:"Give a person a new password."`
}

type userAddCommand struct {
	storageFlags
	Email string `required:"" placeholder:"ADDRESS" help:"The address they sign in with."`
	Name  string `help:"How pages call them (default: what stands before the @)."`
	Role  string `enum:"annotator,reviewer,admin" default:"annotator" help:"annotator, reviewer or admin."`
	JSON  bool   `name:"json" help:"Print one JSON document."`
}

// Run adds the person. The password is asked for on a terminal, else it is the first line of the input.
func (c *userAddCommand) Run(ctx context.Context, streams *stdio) error {
	password, err := readPassword(streams)
	if err != nil {
		return err
	}
	name := c.Name
	if name == "" {
		name, _, _ = strings.Cut(c.Email, "@")
	}
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		u, err := service.CreateUser(ctx, annotator.System, annotator.NewUser{
			Email: c.Email, Name: name, Password: password, Role: annotator.Role(c.Role),
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(streams.Out, u)
		}
		_, err = fmt.Fprintf(streams.Out, "Added %s <%s> as %s.\n", u.Name, u.Email, u.Role)
		return err
	})
}

type userListCommand struct {
	storageFlags
	JSON bool `name:"json" help:"Print one JSON document."`
}

// Run lists people and generators.
func (c *userListCommand) Run(ctx context.Context, streams *stdio) error {
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		users, err := service.Users(ctx, annotator.System)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(streams.Out, map[string]any{"users": users})
		}
		table := tabwriter.NewWriter(streams.Out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tEMAIL\tNAME\tROLE\tSTATE")
		for _, u := range users {
			state := "active"
			switch {
			case u.Generator:
				state = "generator"
			case u.Disabled:
				state = "disabled"
			}
			fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\n", u.ID, u.Email, u.Name, u.Role, state)
		}
		return table.Flush()
	})
}

type userPasswdCommand struct {
	storageFlags
	Email string `required:"" placeholder:"ADDRESS" help:"Whose password."`
}

// Run changes the password.
func (c *userPasswdCommand) Run(ctx context.Context, streams *stdio) error {
	password, err := readPassword(streams)
	if err != nil {
		return err
	}
	return c.withStore(ctx, streams, func(s *storage, service *annotator.Service) error {
		u, _, err := s.Store.UserByEmail(ctx, c.Email)
		if err != nil {
			return err
		}
		if _, err := service.ChangeUser(ctx, annotator.System, u.ID, annotator.UserChange{Password: &password}); err != nil {
			return err
		}
		_, err = fmt.Fprintf(streams.Out, "%s has a new password.\n", u.Name)
		return err
	})
}

// readPassword asks twice on a terminal, unseen; from anything else it reads one line.
func readPassword(streams *stdio) (string, error) {
	file, ok := streams.In.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(streams.In, 4096)).ReadString('\n')
		if err != nil && err != io.EOF {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(streams.Err, prompt)
		data, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(streams.Err)
		if err != nil {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		typed[i] = string(data)
	}
	if typed[0] != typed[1] {
		return "", fmt.Errorf("the two passwords differ")
	}
	return typed[0], nil
}
