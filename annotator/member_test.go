package annotator_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// account adds somebody who joins the projects of some slugs, and no other.
func (w *world) account(name string, role annotator.Role, projects ...string) annotator.User {
	w.t.Helper()
	if projects == nil {
		projects = []string{}
	}
	u, err := w.Service.CreateUser(w.t.Context(), w.Admin, annotator.NewUser{Email: name + "@example.org", Name: name, Password: "plum-kettle-91", Role: role, Projects: projects})
	w.must(err)
	return u
}

// A member's role is that of the project: a reviewer who is annotator elsewhere does not judge there, a lead leads nothing but their project.
func TestRolesAreThoseOfTheProject(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx, s := t.Context(), w.Service
	_, _, _ = w.AnotherProject(t, "boats")
	judge := w.account("jo", annotator.RoleReviewer, "birds", "boats")
	_, err := s.SetMember(ctx, w.Admin, "boats", judge.ID, annotator.RoleAnnotator)
	w.must(err)
	d, err := s.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "boats"})
	w.must(err)
	e := w.save(w.Ada, d.ID, 0, 0.5)
	_, err = s.Submit(ctx, w.Ada, d.ID, e.Revision)
	w.must(err)
	if _, err := s.Review(ctx, judge, e.ID, annotator.VerdictApprove, ""); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("a reviewer who is annotator there judges: %v", err)
	}
	if _, err := s.ClaimReview(ctx, judge, d.ID); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("and takes a map to judge: %v", err)
	}
	if _, err := s.NextReview(ctx, judge, "birds", 0); !errors.Is(err, annotator.ErrNoTask) {
		t.Errorf("where they are reviewer: %v", err)
	}

	lead := w.account("lee", annotator.RoleAnnotator, "birds")
	_, err = s.SetMember(ctx, w.Admin, "birds", lead.ID, annotator.RoleLead)
	w.must(err)
	if _, err := s.RenameClass(ctx, lead, "birds", 0, "wren"); err != nil {
		t.Errorf("a lead renames a class: %v", err)
	}
	if p, err := s.Project(ctx, lead, "birds"); err != nil || p.Role != annotator.RoleLead {
		t.Errorf("they are %q there, %v", p.Role, err)
	}
	if _, err := s.CreateProject(ctx, lead, "cats", "Cats", ""); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("and makes a project: %v", err)
	}
	if _, err := s.Users(ctx, lead); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("and lists everybody: %v", err)
	}
	if _, err := s.DeleteProject(ctx, lead, "birds", "Birds"); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("and deletes their project: %v", err)
	}
	if _, err := s.RenameClass(ctx, lead, "boats", 0, "wren"); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("and renames a class elsewhere: %v", err)
	}
	if _, _, err := s.CreateToken(ctx, annotator.System, lead.ID, annotator.NewToken{Name: "t", Scopes: []annotator.Scope{annotator.ScopeRead, annotator.ScopeAdmin}, Days: 1}); err != nil {
		t.Errorf("a token for what they may: %v", err)
	}
	if _, _, err := s.CreateToken(ctx, annotator.System, w.Ada.ID, annotator.NewToken{Name: "t", Scopes: []annotator.Scope{annotator.ScopeAdmin}, Days: 1}); err == nil {
		t.Error("a token for what they may nowhere")
	}
}

// What is no member's is as what is not there, in the same words; lists and counts leave it out.
func TestWhatIsNotOnesOwnIsNotThere(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx, s := t.Context(), w.Service
	_, version, images := w.AnotherProject(t, "boats")
	d, err := s.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "boats"})
	w.must(err)
	e := w.save(w.Ada, d.ID, 0, 0.5)
	outsider := w.account("out", annotator.RoleReviewer, "birds")
	only := func(_ any, err error) error { return err }
	const none = 987654
	for name, call := range map[string]func(id int64) error{
		"task":      func(id int64) error { return only(s.Task(ctx, outsider, pick(id, d.ID))) },
		"revisions": func(id int64) error { return only(s.Revisions(ctx, outsider, pick(id, d.ID))) },
		"image":     func(id int64) error { return only(s.ImageDetail(ctx, outsider, pick(id, images[0].ID))) },
		"picture": func(id int64) error {
			_, _, err := s.Picture(ctx, outsider, pick(id, images[0].ID), annotator.PictureOriginal)
			return err
		},
		"original": func(id int64) error { return only(s.OriginalLink(ctx, outsider, pick(id, images[0].ID))) },
		"mask":     func(id int64) error { return only(s.Mask(ctx, outsider, pick(id, images[0].ID))) },
		"version":  func(id int64) error { _, _, err := s.Version(ctx, outsider, pick(id, version.ID)); return err },
		"model": func(id int64) error {
			return only(s.Download(ctx, outsider, pick(id, version.ID), annotator.FormManifest))
		},
		"judge": func(id int64) error {
			return only(s.Review(ctx, outsider, pick(id, e.ID), annotator.VerdictApprove, ""))
		},
		"version of another's image": func(id int64) error {
			v := pick(id, version.ID)
			_, _, err := s.Image(ctx, outsider, w.Images[0].ID, &v)
			return err
		},
	} {
		there, not := call(0), call(none)
		if !errors.Is(there, annotator.ErrNotFound) || !errors.Is(not, annotator.ErrNotFound) {
			t.Errorf("%s: %v, of what is not there %v", name, there, not)
			continue
		}
		if digits(there.Error()) != digits(not.Error()) {
			t.Errorf("%s: %q tells from %q", name, there, not)
		}
	}
	there, not := only(s.Project(ctx, outsider, "boats")), only(s.Project(ctx, outsider, "goats"))
	if !errors.Is(there, annotator.ErrNotFound) || strings.ReplaceAll(there.Error(), "boats", "goats") != not.Error() {
		t.Errorf("the project: %v, %v", there, not)
	}
	all, err := s.Projects(ctx, outsider, annotator.ProjectOpen)
	w.must(err)
	if len(all) != 1 || all[0].Slug != "birds" || all[0].Role != annotator.RoleReviewer {
		t.Errorf("the list has %d projects", len(all))
	}
	painters, err := s.Painters(ctx, w.Admin, "boats")
	w.must(err)
	if slices.ContainsFunc(painters, func(p annotator.Painter) bool { return p.ID == outsider.ID }) {
		t.Error("somebody who is no member can be assigned tasks")
	}
	assign := annotator.BulkChange{Action: annotator.BulkAssign, All: true, User: outsider.ID, Filter: annotator.TaskFilter{Project: "boats"}}
	var invalid *annotator.ValidationError
	if _, err := s.ChangeTasks(ctx, w.Admin, "boats", assign); !errors.As(err, &invalid) {
		t.Errorf("tasks are assigned to somebody who is no member: %v", err)
	}
	nobody := w.account("new", annotator.RoleAnnotator)
	if all, err := s.Projects(ctx, nobody, annotator.ProjectOpen); err != nil || len(all) != 0 {
		t.Errorf("somebody who is in no project sees %d, %v", len(all), err)
	}
}

// pick is a thing that is there for 0, else the number itself.
func pick(id, there int64) int64 {
	if id == 0 {
		return there
	}
	return id
}

// digits is a text with every run of digits as one.
func digits(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r >= '0' && r <= '9' }), "N")
}

// A lead changes the roles of members, and is not told by their numbers who else has an account.
func TestALeadFindsNobodyByNumber(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s, ctx := w.Service, t.Context()
	if _, err := s.SetMember(ctx, w.Admin, "birds", w.Reviewer.ID, annotator.RoleLead); err != nil {
		t.Fatal(err)
	}
	stranger, err := w.Store.InsertUser(ctx, annotator.User{Email: "stranger@example.org", Name: "Stranger", Role: annotator.RoleAnnotator, CreatedAt: w.Clock.Now()}, "-")
	w.must(err)
	_, there := s.SetMember(ctx, w.Reviewer, "birds", stranger.ID, "")
	_, nobody := s.SetMember(ctx, w.Reviewer, "birds", stranger.ID+1000, "")
	if !errors.Is(there, annotator.ErrNotFound) || !errors.Is(nobody, annotator.ErrNotFound) {
		t.Errorf("a lead tries numbers of people: %v, %v", there, nobody)
	}
	if _, err := s.SetMember(ctx, w.Reviewer, "birds", w.Ada.ID, annotator.RoleAnnotator); err != nil {
		t.Errorf("a lead changes a member's role: %v", err)
	}
}

// Who is taken out keeps nothing in hand: tasks go back, what they were assigned is everybody's, their map stays.
func TestMembersComeAndGo(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx, s := t.Context(), w.Service
	held := w.next(w.Ada)
	w.save(w.Ada, held.ID, 0, 0.5)
	assign := annotator.BulkChange{Action: annotator.BulkAssign, All: true, User: w.Ada.ID, Filter: annotator.TaskFilter{Project: "birds", States: []annotator.TaskState{annotator.TaskOpen}}}
	_, err := s.ChangeTasks(ctx, w.Reviewer, "birds", assign)
	w.must(err)
	if err := s.RemoveMember(ctx, w.Reviewer, "birds", w.Ada.ID); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("a reviewer takes somebody out: %v", err)
	}
	w.must(s.RemoveMember(ctx, w.Admin, "birds", w.Ada.ID))
	if err := s.RemoveMember(ctx, w.Admin, "birds", w.Ada.ID); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("taken out twice: %v", err)
	}
	if _, err := s.RenewLease(ctx, w.Ada, held.ID); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("they go on painting: %v", err)
	}
	task, err := s.Task(ctx, w.Bob, held.ID)
	w.must(err)
	if task.State != annotator.TaskOpen || task.Edit == nil || task.Edit.AuthorID != w.Ada.ID {
		t.Errorf("their task is %s with %+v", task.State, task.Edit)
	}
	page, err := s.Tasks(ctx, w.Bob, annotator.TaskFilter{Project: "birds"})
	w.must(err)
	for _, task := range page.Tasks {
		if task.AssignedTo != nil {
			t.Errorf("task %d is assigned to %d still", task.ID, *task.AssignedTo)
		}
	}
	m, err := s.AddMember(ctx, w.Admin, "birds", " Ada@example.org", "")
	if err != nil || m.Role != annotator.RoleAnnotator || m.AddedBy != w.Admin.Name {
		t.Errorf("joined again: %+v, %v", m, err)
	}
	if m, err = s.SetMember(ctx, w.Admin, "birds", w.Ada.ID, annotator.RoleReviewer); err != nil || m.Role != annotator.RoleReviewer {
		t.Errorf("changed: %+v, %v", m, err)
	}
	var invalid *annotator.ValidationError
	if _, err := s.AddMember(ctx, w.Admin, "birds", "nobody@example.org", ""); !errors.As(err, &invalid) {
		t.Errorf("an address that nobody has: %v", err)
	}
	if _, err := s.SetMember(ctx, w.Admin, "birds", w.Ada.ID, annotator.RoleAdmin); !errors.As(err, &invalid) {
		t.Errorf("an admin of a project: %v", err)
	}
	if _, err := s.Members(ctx, w.Bob, "birds"); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("an annotator lists members: %v", err)
	}
	members, err := s.Members(ctx, w.Reviewer, "birds")
	w.must(err)
	var names []string
	for _, m := range members {
		names = append(names, m.Name+" "+string(m.Role))
	}
	if want := "Grace lead, Ada reviewer, Rose reviewer, Bob annotator"; strings.Join(names, ", ") != want {
		t.Errorf("members are %q, want %q", names, want)
	}
	trail, err := s.Audit(ctx, w.Admin, "birds", 0)
	w.must(err)
	var told []string
	for _, e := range trail {
		if strings.HasPrefix(e.Action, "member.") {
			told = append(told, e.Action+" "+e.Detail)
		}
	}
	if want := "member.change reviewer, was annotator|member.add annotator|member.remove |member.add everybody who has an account"; strings.Join(told, "|") != want {
		t.Errorf("the trail says %q, want %q", strings.Join(told, "|"), want)
	}

	apart, err := s.MakeProject(ctx, w.Admin, annotator.NewProject{Name: "Apart", Apart: true})
	w.must(err)
	if members, err := s.Members(ctx, w.Admin, apart.Slug); err != nil || len(members) != 1 || members[0].Role != annotator.RoleLead {
		t.Errorf("a project apart has %+v, %v", members, err)
	}
}
