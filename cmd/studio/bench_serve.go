package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/bench"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/progress"
)

// benchServeCommand times the pages of a running studio with many images and many people.
type benchServeCommand struct {
	storageFlags
	Address  string        `help:"Of the studio that runs on that database." default:"http://127.0.0.1:8080"`
	Project  string        `help:"Slug of the project; its active version has scanned its images." default:"aviary"`
	Images   int           `help:"How many images it has at least: what it lacks is made of those that it has." default:"1100000"`
	Wrong    int           `help:"Of how many of the made images the version is wrong, in per cent: each is a task." default:"86"`
	Painters int           `help:"How many people paint meanwhile." default:"50"`
	Follow   int           `help:"How many follow a round meanwhile, which is started and reports without training; the studio then needs to be without workers (serve --no-worker)." default:"0"`
	For      time.Duration `help:"How long." default:"60s"`
	Think    time.Duration `help:"How long a painter looks, on average, before each action." default:"3s"`
	Seed     int64         `help:"Of the images, and of what is painted." default:"1"`
	JSON     bool          `name:"json" help:"Print one JSON document."`
}

// Help says what is changed, below the flags.
func (c *benchServeCommand) Help() string {
	return "For a studio of its own: the project is given images, people \"Bench …\" are added, and maps are painted, which all stay. " +
		"To compare two builds, let one serve the data folder, then the other, and run this beside each."
}

// Validate implements kong.Validatable.
func (c *benchServeCommand) Validate() error {
	switch at, err := url.Parse(c.Address); {
	case err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https":
		return fmt.Errorf("--address: %q is no address of a studio, such as http://127.0.0.1:8080", c.Address)
	case c.Painters < 0 || c.Follow < 0 || c.Follow > 0 && c.Painters == 0:
		return errors.New("--painters: is at least 0, and at least 1 with --follow: a round needs a map that somebody painted")
	case c.Wrong < 0 || c.Wrong > 100:
		return errors.New("--wrong: is between 0 and 100 per cent")
	}
	return nil
}

// answers is an error where no studio answers at the address, before a project is given a million images for it.
func (c *benchServeCommand) answers(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.Address, "/")+"/healthz", nil)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
	if err == nil {
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			err = errors.New(answer.Status)
		}
	}
	if err != nil {
		return fmt.Errorf("no studio answers at %s: start one on the same data folder (studio serve --data DIR): %w", c.Address, err)
	}
	return nil
}

// Run implements the command.
func (c *benchServeCommand) Run(ctx context.Context, streams *stdio) error {
	if err := c.answers(ctx); err != nil {
		return err
	}
	return c.withStore(ctx, streams, func(s *storage, service *annotator.Service) error {
		project, err := service.Project(ctx, annotator.System, c.Project)
		if err != nil {
			return err
		}
		version, err := s.Store.ActiveVersion(ctx, project.ID)
		if err != nil {
			return err
		}
		line, begun := newProgressLine(streams.Err), time.Now()
		err = s.Store.GrowProject(ctx, version, c.Images, c.Wrong, c.Seed, func(have int) {
			line.show(progress.Of(progress.Storing, have, c.Images, time.Since(begun)))
		})
		line.done()
		if err != nil {
			return err
		}
		accounts, err := c.people(ctx, service)
		if err != nil {
			return err
		}
		var round *bench.FollowedRound
		if c.Follow > 0 {
			round = &bench.FollowedRound{Streams: c.Follow, Claim: s.claimRound}
		}
		result, err := bench.Serve{
			Round:   round,
			Address: c.Address, Project: c.Project, Admin: accounts[0], Painters: accounts[1:], For: c.For, Think: c.Think, Seed: uint64(c.Seed),
			Running: s.Store.Running,
		}.Measure(ctx)
		return printMeasured(streams, c.JSON, result, err)
	})
}

// claimedRound is a round that this process has in a worker's place.
type claimedRound struct {
	store *postgres.Store
	claim annotator.RoundClaim
}

// claimRound takes a round.
func (s *storage) claimRound(ctx context.Context, round int64) (bench.ClaimedRound, error) {
	claim, _, err := s.Store.ClaimRound(ctx, round)
	return claimedRound{s.Store, claim}, err
}

// Report implements bench.ClaimedRound: it writes what a worker writes.
func (r claimedRound) Report(ctx context.Context, step int) error {
	return errors.Join(r.store.AddRoundPoints(ctx, r.claim, []annotator.RoundPoint{{Arm: arms.Candidate, Step: step}}),
		r.store.SetRoundProgress(ctx, r.claim, annotator.RoundProgress{Phase: string(progress.Candidate), Step: step, Unit: "steps"}))
}

// Stop implements bench.ClaimedRound.
func (r claimedRound) Stop(ctx context.Context) error { return r.store.StopRound(ctx, r.claim) }

// people returns an admin and the painters, with a password that is good for this run.
func (c *benchServeCommand) people(ctx context.Context, service *annotator.Service) ([]bench.Account, error) {
	there, err := service.Users(ctx, annotator.System)
	if err != nil {
		return nil, err
	}
	ids := map[string]int64{}
	for _, u := range there {
		ids[u.Email] = u.ID
	}
	password := rand.Text()
	accounts := make([]bench.Account, c.Painters+1)
	for i := range accounts {
		account := bench.Account{Email: fmt.Sprintf("bench-%d@bench.invalid", i), Password: password}
		accounts[i] = account
		if id, is := ids[account.Email]; is {
			_, err = service.ChangeUser(ctx, annotator.System, id, annotator.UserChange{Password: &password})
		} else {
			role := annotator.RoleAnnotator
			if i == 0 {
				role = annotator.RoleAdmin
			}
			_, err = service.CreateUser(ctx, annotator.System, annotator.NewUser{Email: account.Email, Name: fmt.Sprintf("Bench %d", i), Password: password, Role: role, Projects: []string{c.Project}})
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the account %s", account.Email), err)
		}
	}
	return accounts, nil
}
