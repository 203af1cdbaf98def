package annotator_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"
)

func TestPeople(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	u, err := w.Service.CreateUser(ctx, annotator.System, annotator.NewUser{Email: "eve@example.org", Name: " Eve ", Password: "quite long enough", Role: annotator.RoleAnnotator})
	if err != nil || u.Name != "Eve" {
		t.Fatalf("CreateUser = %+v, %v", u, err)
	}
	if got, err := w.Service.SignIn(ctx, "EVE@example.org ", "quite long enough", annotator.Client{}); err != nil || got.ID != u.ID {
		t.Errorf("SignIn = %+v, %v", got, err)
	}
	for _, wrong := range [][2]string{{"eve@example.org", "quite long enougH"}, {"eve@example.org", ""}, {"nobody@example.org", "quite long enough"}, {"eve@example.org", strings.Repeat("x", 201)}} {
		if _, err := w.Service.SignIn(ctx, wrong[0], wrong[1], annotator.Client{}); !errors.Is(err, annotator.ErrUnauthorized) {
			t.Errorf("SignIn(%q) = %v, want ErrUnauthorized", wrong, err)
		}
	}
	token, _, err := w.Service.CreateToken(ctx, annotator.System, u.ID, annotator.NewToken{Name: "laptop", Scopes: []annotator.Scope{annotator.ScopeRead}, Days: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := w.Service.UserByToken(ctx, token); err != nil || got.ID != u.ID {
		t.Errorf("UserByToken = %+v, %v", got, err)
	}
	if _, _, err := w.Service.UserByToken(ctx, token+"x"); !errors.Is(err, annotator.ErrUnauthorized) {
		t.Errorf("a wrong token: %v", err)
	}
	password, disabled := "another password", true
	if _, err := w.Service.ChangeUser(ctx, u, u.ID, annotator.UserChange{Password: &password, Present: "quite long enough", KeepTokens: true}); err != nil {
		t.Errorf("changing one's own password: %v", err)
	}
	if _, err := w.Service.SignIn(ctx, "eve@example.org", password, annotator.Client{}); err != nil {
		t.Errorf("signing in with it: %v", err)
	}
	session, err := w.Service.BeginSession(ctx, u, annotator.Client{})
	if err != nil {
		t.Fatal(err)
	}
	disabledUser, err := w.Service.ChangeUser(ctx, w.Admin, u.ID, annotator.UserChange{Disabled: &disabled})
	if err != nil {
		t.Fatal(err)
	}
	for name, check := range map[string]func() error{
		"password": func() error {
			_, err := w.Service.SignIn(ctx, "eve@example.org", password, annotator.Client{})
			return err
		},
		"session":    func() error { _, err := w.Service.UserBySession(ctx, session.ID); return err },
		"signing in": func() error { _, err := w.Service.BeginSession(ctx, disabledUser, annotator.Client{}); return err },
		"token":      func() error { _, _, err := w.Service.UserByToken(ctx, token); return err },
	} {
		if err := check(); !errors.Is(err, annotator.ErrUnauthorized) {
			t.Errorf("a disabled person's %s: %v, want ErrUnauthorized", name, err)
		}
	}
}

func TestCreateUserChecksItsFields(t *testing.T) {
	t.Parallel()
	w := setup(t)
	good := annotator.NewUser{Email: "new@example.org", Name: "New", Password: "plum-kettle-91", Role: annotator.RoleReviewer}
	for field, change := range map[string]func(*annotator.NewUser){
		"email":    func(u *annotator.NewUser) { u.Email = "New <new@example.org>" },
		"name":     func(u *annotator.NewUser) { u.Name = " " },
		"password": func(u *annotator.NewUser) { u.Password = "012345678" },
		"role":     func(u *annotator.NewUser) { u.Role = "owner" },
	} {
		u := good
		change(&u)
		var invalid *annotator.ValidationError
		if _, err := w.Service.CreateUser(t.Context(), w.Admin, u); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("a wrong %s: %v", field, err)
		}
	}
	taken := good
	taken.Email = "ADA@example.org"
	var invalid *annotator.ValidationError
	if _, err := w.Service.CreateUser(t.Context(), w.Admin, taken); !errors.As(err, &invalid) || invalid.Field != "email" {
		t.Errorf("a taken address: %v", err)
	}
}

func TestTheLastAdminStays(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	role, disabled := annotator.RoleReviewer, true
	for _, c := range []annotator.UserChange{{Role: &role}, {Disabled: &disabled}} {
		if _, err := w.Service.ChangeUser(ctx, w.Admin, w.Admin.ID, c); !errors.Is(err, annotator.ErrConflict) {
			t.Errorf("ChangeUser(%+v) of the last admin = %v, want ErrConflict", c, err)
		}
	}
	admin := annotator.RoleAdmin
	if _, err := w.Service.ChangeUser(ctx, w.Admin, w.Ada.ID, annotator.UserChange{Role: &admin}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.ChangeUser(ctx, w.Admin, w.Admin.ID, annotator.UserChange{Role: &role}); err != nil {
		t.Errorf("one of two admins steps down: %v", err)
	}
}

// A person is removed after their address was typed, somebody without an account after their name; once, for good, and not the last admin.
func TestRemovingPeople(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx, s := t.Context(), w.Service
	var invalid *annotator.ValidationError
	for _, typed := range []string{"", "Bob", w.Ada.Email} {
		if _, err := s.RemovePerson(ctx, w.Admin, w.Bob.ID, typed); !errors.As(err, &invalid) || !strings.Contains(err.Error(), w.Bob.Email) {
			t.Errorf("removed after %q was typed: %v", typed, err)
		}
	}
	if _, err := s.RemovePerson(ctx, w.Admin, w.Admin.ID, w.Admin.Email); !errors.Is(err, annotator.ErrConflict) || !strings.Contains(err.Error(), "last admin") {
		t.Errorf("the last admin: %v", err)
	}
	if _, err := s.RemovePerson(ctx, w.Admin, 9999, "x"); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("somebody who is not there: %v", err)
	}
	yes, no, name := true, false, "Bob again"
	_, err := s.ChangeUser(ctx, w.Admin, w.Bob.ID, annotator.UserChange{Disabled: &yes})
	w.must(err)
	_, err = s.RemovePerson(ctx, annotator.System, w.Bob.ID, w.Bob.Email) // who is disabled, too
	w.must(err)
	for what, change := range map[string]annotator.UserChange{"enabled": {Disabled: &no}, "renamed": {Name: &name}} {
		if _, err := s.ChangeUser(ctx, w.Admin, w.Bob.ID, change); !errors.Is(err, annotator.ErrConflict) {
			t.Errorf("%s after it was removed: %v", what, err)
		}
	}
	if _, err := s.RemovePerson(ctx, w.Admin, w.Bob.ID, w.Bob.Email); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("removed twice: %v", err)
	}
	again, err := s.CreateUser(ctx, w.Admin, annotator.NewUser{Email: w.Bob.Email, Name: "Bob", Password: "plum-kettle-91", Role: annotator.RoleAdmin})
	if err != nil || again.ID == w.Bob.ID {
		t.Errorf("another account with the address: %+v, %v", again, err)
	}
	if _, err := s.RemovePerson(ctx, w.Admin, w.Admin.ID, w.Admin.Email); err != nil {
		t.Errorf("one of two admins removes themself: %v", err)
	}

	_, err = s.BringMaps(ctx, again, "birds", "maps.npz", []annotator.BroughtMap{{From: "x", ImageID: w.Images[0].ID, Map: draft(0, 0.25).Map, Author: "Zoë"}}, annotator.BringChoices{})
	w.must(err)
	users, err := s.Users(ctx, again)
	w.must(err)
	zoe := users[slices.IndexFunc(users, func(u annotator.User) bool { return u.Name == "Zoë" })]
	if _, err := s.RemovePerson(ctx, again, zoe.ID, zoe.Email); !errors.As(err, &invalid) {
		t.Errorf("the invented address of somebody without an account: %v", err)
	}
	if u, err := s.RemovePerson(ctx, again, zoe.ID, "Zoë"); err != nil || u.Email == zoe.Email || !u.Generator {
		t.Errorf("somebody without an account: %+v, %v", u, err)
	}
}

// Every method needs a role, and returns ErrForbidden or ErrUnauthorized to an actor without it.
func TestRoles(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	s := w.Service
	only := func(_ any, err error) error { return err }
	lead := w.account("lee", annotator.RoleAnnotator, "birds")
	w.must(only(s.SetMember(ctx, w.Admin, "birds", lead.ID, annotator.RoleLead)))
	for name, c := range map[string]struct {
		needs annotator.Role
		call  func(annotator.User) error
	}{
		"Users":         {annotator.RoleAdmin, func(u annotator.User) error { return only(s.Users(ctx, u)) }},
		"CreateUser":    {annotator.RoleAdmin, func(u annotator.User) error { return only(s.CreateUser(ctx, u, annotator.NewUser{})) }},
		"ChangeUser":    {annotator.RoleAdmin, func(u annotator.User) error { return only(s.ChangeUser(ctx, u, w.Bob.ID, annotator.UserChange{})) }},
		"RemovePerson":  {annotator.RoleAdmin, func(u annotator.User) error { return only(s.RemovePerson(ctx, u, w.Bob.ID, w.Bob.Email)) }},
		"PersonalData":  {annotator.RoleAdmin, func(u annotator.User) error { return s.PersonalData(ctx, u, w.Bob.ID, io.Discard) }},
		"CreateProject": {annotator.RoleAdmin, func(u annotator.User) error { return only(s.CreateProject(ctx, u, "", "", "")) }},
		"PackProject":   {annotator.RoleLead, func(u annotator.User) error { return s.PackProject(ctx, u, "birds", annotator.PackChoices{}, nil) }},
		"UnpackProject": {annotator.RoleAdmin, func(u annotator.User) error { return only(s.UnpackProject(ctx, u, "", "", nil)) }},
		"BeginArchive":  {annotator.RoleAdmin, func(u annotator.User) error { _, _, err := s.BeginArchive(ctx, u, "a.zip", 0); return err }},
		"Sources":       {annotator.RoleAdmin, func(u annotator.User) error { return only(s.Sources(ctx, u)) }},
		"BeginSourceImport": {annotator.RoleAdmin, func(u annotator.User) error {
			return only(s.BeginSourceImport(ctx, u, "birds", annotator.ServerFolder{}))
		}},
		"StagedArchives": {annotator.RoleAdmin, func(u annotator.User) error { return only(s.StagedArchives(ctx, u)) }},
		"StartArchive":   {annotator.RoleAdmin, func(u annotator.User) error { return only(s.StartArchive(ctx, u, "none", "", "")) }},
		"ChangeProject": {annotator.RoleLead, func(u annotator.User) error {
			return only(s.ChangeProject(ctx, u, "birds", annotator.ProjectChange{}))
		}},
		"CloseProject":   {annotator.RoleLead, func(u annotator.User) error { return only(s.CloseProject(ctx, u, "birds")) }},
		"ReopenProject":  {annotator.RoleLead, func(u annotator.User) error { return only(s.ReopenProject(ctx, u, "birds")) }},
		"DeleteProject":  {annotator.RoleAdmin, func(u annotator.User) error { return only(s.DeleteProject(ctx, u, "birds", "Birds")) }},
		"RestoreProject": {annotator.RoleAdmin, func(u annotator.User) error { return only(s.RestoreProject(ctx, u, "birds")) }},
		"RenameClass":    {annotator.RoleLead, func(u annotator.User) error { return only(s.RenameClass(ctx, u, "birds", 0, "wren")) }},
		"SetStart": {annotator.RoleLead, func(u annotator.User) error {
			return only(s.SetStart(ctx, u, "birds", attention.Start{}))
		}},
		"PreviewStarts": {annotator.RoleLead, func(u annotator.User) error { return only(s.PreviewStarts(ctx, u, "birds", nil, 1)) }},
		"StartRound": {annotator.RoleLead, func(u annotator.User) error {
			return only(s.StartRound(ctx, u, "birds", recipe.Settings{}, ""))
		}},
		"CancelRound":     {annotator.RoleLead, func(u annotator.User) error { return only(s.CancelRound(ctx, u, 1)) }},
		"ActivateVersion": {annotator.RoleLead, func(u annotator.User) error { return only(s.ActivateVersion(ctx, u, w.Version.ID, "")) }},
		"StartScan":       {annotator.RoleLead, func(u annotator.User) error { return only(s.StartScan(ctx, u, w.Version.ID)) }},
		"Review":          {annotator.RoleReviewer, func(u annotator.User) error { return only(s.Review(ctx, u, 1, annotator.VerdictApprove, "")) }},
		"Judge": {annotator.RoleReviewer, func(u annotator.User) error {
			return only(s.Judge(ctx, u, 1, annotator.Judgement{Verdict: annotator.VerdictApprove}))
		}},
		"NextReview": {annotator.RoleReviewer, func(u annotator.User) error { return only(s.NextReview(ctx, u, "birds", 0)) }},
		"Correct": {annotator.RoleReviewer, func(u annotator.User) error {
			return only(s.Correct(ctx, u, 1, annotator.Draft{Source: annotator.SourcePainted, Map: pgtest.Map(0.5)}, annotator.Judgement{}))
		}},
		"NextReviewIn": {annotator.RoleReviewer, func(u annotator.User) error {
			return only(s.NextReviewIn(ctx, u, "birds", annotator.ReviewFar, 0))
		}},
		"Reviews":          {annotator.RoleReviewer, func(u annotator.User) error { return only(s.Reviews(ctx, u, "birds", annotator.ReviewQuery{})) }},
		"Sampling":         {annotator.RoleLead, func(u annotator.User) error { return only(s.Sampling(ctx, u, "birds")) }},
		"ApproveMany":      {annotator.RoleReviewer, func(u annotator.User) error { return only(s.ApproveMany(ctx, u, "birds", []int64{1})) }},
		"RetractMany":      {annotator.RoleReviewer, func(u annotator.User) error { return only(s.RetractMany(ctx, u, "birds", []int64{1})) }},
		"ReasonCounts":     {annotator.RoleAnnotator, func(u annotator.User) error { return only(s.ReasonCounts(ctx, u, "birds")) }},
		"ClaimReview":      {annotator.RoleReviewer, func(u annotator.User) error { return only(s.ClaimReview(ctx, u, 1)) }},
		"RenewReview":      {annotator.RoleReviewer, func(u annotator.User) error { return only(s.RenewReview(ctx, u, 1)) }},
		"ReleaseReview":    {annotator.RoleReviewer, func(u annotator.User) error { return s.ReleaseReview(ctx, u, 1) }},
		"TakeBack":         {annotator.RoleAnnotator, func(u annotator.User) error { return only(s.TakeBack(ctx, u, 1)) }},
		"Retract":          {annotator.RoleReviewer, func(u annotator.User) error { return only(s.Retract(ctx, u, 1)) }},
		"Reopen":           {annotator.RoleReviewer, func(u annotator.User) error { return s.Reopen(ctx, u, 1) }},
		"JudgeLabel":       {annotator.RoleReviewer, func(u annotator.User) error { return only(s.JudgeLabel(ctx, u, 1, annotator.LabelConfirm, "")) }},
		"NextLabelVerdict": {annotator.RoleReviewer, func(u annotator.User) error { return only(s.NextLabelVerdict(ctx, u, "birds", 0)) }},
		"ProposeLabel": {annotator.RoleAnnotator, func(u annotator.User) error {
			return only(s.ProposeLabel(ctx, u, 0, annotator.LabelProposal{}))
		}},
		"AskForMap":    {annotator.RoleAnnotator, func(u annotator.User) error { return only(s.AskForMap(ctx, u, w.Images[0].ID)) }},
		"LabelHistory": {annotator.RoleAnnotator, func(u annotator.User) error { return only(s.LabelHistory(ctx, u, w.Images[0].ID)) }},
		"Projects":     {annotator.RoleAnnotator, func(u annotator.User) error { return only(s.Projects(ctx, u, annotator.ProjectOpen)) }},
		"NextTask":     {annotator.RoleAnnotator, func(u annotator.User) error { return only(s.NextTask(ctx, u, annotator.TaskFilter{Project: "birds"})) }},
		"Tasks":        {annotator.RoleAnnotator, func(u annotator.User) error { return only(s.Tasks(ctx, u, annotator.TaskFilter{Project: "birds"})) }},
		"SaveDraft":    {annotator.RoleAnnotator, func(u annotator.User) error { return only(s.SaveDraft(ctx, u, 1, annotator.Draft{})) }},
		"Versions":     {annotator.RoleAnnotator, func(u annotator.User) error { return only(s.Versions(ctx, u, "birds")) }},
	} {
		if err := c.call(annotator.User{}); !errors.Is(err, annotator.ErrUnauthorized) {
			t.Errorf("%s by nobody: %v, want ErrUnauthorized", name, err)
		}
		for role, who := range map[annotator.Role]annotator.User{annotator.RoleAnnotator: w.Ada, annotator.RoleReviewer: w.Reviewer, annotator.RoleLead: lead} {
			err := c.call(who)
			// A thing that is not there is not found, whatever the role.
			if !role.May(c.needs) && !errors.Is(err, annotator.ErrForbidden) && !errors.Is(err, annotator.ErrNotFound) {
				t.Errorf("%s by %s: %v, want ErrForbidden", name, role, err)
			}
			if role.May(c.needs) && errors.Is(err, annotator.ErrForbidden) {
				t.Errorf("%s by %s is forbidden", name, role)
			}
		}
	}
}
