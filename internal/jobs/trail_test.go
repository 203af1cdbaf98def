package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pquerna/otp/totp"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/archive"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/fingerprint"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"
)

// reads are the methods of the service that change nothing.
var reads = []string{
	"ActivationMap", "AgainstActive", "Audit", "CheckSetupLink", "CompareVersions", "CountExport", "DayProgress", "Download", "ExportAudit", "ExportMaps", "ExportPredictions", "ExportRegions", "ExportReviews", "ExportTasks", "Facets", "FactorBegun", "ForecastOf", "ForecastRows", "HasPeople", "HasSegmenter", "Image", "ImageDetail", "Images", "ImportExample", "Institution", "Invitations", "InvitationsTo", "Jobs", "LabelHistory", "LabelVerdict", "LabelVerdicts", "Leakage", "Likeness", "LookAtImport", "Highest", "MapTargets", "Mask", "Members", "Memberships", "Webhook", "Webhooks", "Deliveries", "NeedsCode", "NextLabelVerdict", "Now", "OpenInvitation", "OpenModel", "OriginalLink", "Painters", "PasskeyOwner", "Person", "Picture", "PrepareSegmenter", "PreviewImport", "PreviewStarts", "Project", "Projects", "ReasonCounts", "Recent", "Reviews", "Revisions", "Round", "RoundDefaults", "Space", "ProjectSpace",
	"FollowRound", "RoundPlan", "RoundRows", "Rounds", "Sampling", "Score", "Segment", "Segmenter", "Sessions", "Shared", "SharedImage", "ShownImages", "SignInWays", "Sources", "StagedArchives", "StagedImport", "StagedImports", "StartingPoint", "StartingPoints", "StateDict", "Suspects", "Task", "Tasks", "Tokens", "Trail", "Upload", "UserBySession", "UserByToken", "Users", "Version", "Versions", "Within", "Work", "Workers",
}

// untold are the methods whose changes the trail need not hold, with the reason.
var untold = map[string]string{
	"SaveDraft":  "every revision is kept, with its author and time",
	"RenewLease": "who works on goes on",
	"NextReview": "who only has a map to judge; the verdict is told", "NextReviewIn": "as NextReview", "ClaimReview": "as NextReview", "RenewReview": "as NextReview", "ReleaseReview": "as NextReview",
	"SignIn": "only what fails is told, and annotator's tests have that", "CheckPresence": "as SignIn", "MayAddPasskey": "as SignIn", "SignInByPasskey": "as SignIn; that it was used stands beside it", "RefusePasskey": "the line is all that it writes", "CheckCode": "as SignIn: which code was last taken is no change of anything else",

	"Posting": "a worker's: that it switches a webhook off is told (TestWebhooksEndWithTheirHoldersRight)", "EndAttempt": "as Posting (TestWebhooksTryAgain)",

	"CountSpace": "it changes nothing that anybody made",

	"BeginImport": "what is sent is no part of a project until it is imported", "ReceiveImport": "as BeginImport", "DiscardImport": "as BeginImport",
	"StartImport": "ImportImages, which it runs, writes it", "BeginArchive": "as BeginImport", "BeginSourceImport": "as BeginImport", "StartArchive": "UnpackProject, which it runs, writes it",
}

// world is the project of pgtest, on the real ports of a server.
type trailWorld struct {
	*pgtest.World
	t       *testing.T
	service *annotator.Service
	blobs   *blob.Store
	file    []byte // a small network for the fourteen birds, and its manifest
	beside  json.RawMessage
	data    *dataset.Dataset // pictures of the fourteen birds
}

// leaking makes a project with a held-out image that looks like a training image, and returns the held-out one.
func (w *trailWorld) leaking(slug string) []int64 {
	w.t.Helper()
	_, _, images := w.AnotherProject(w.t, slug)
	test := images[len(images)-1].ID
	if err := w.Store.SetFingerprints(w.t.Context(), []int64{images[0].ID, test}, []fingerprint.Fingerprint{5, 5}); err != nil {
		w.t.Fatal(err)
	}
	return []int64{test}
}

func newTrailWorld(t *testing.T) *trailWorld {
	t.Helper()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	w := &trailWorld{World: pgtest.NewWorld(t), t: t}
	var err error
	if w.blobs, err = blob.Open(t.Context(), t.TempDir(), blob.Options{}); err != nil {
		t.Fatal(err)
	}
	w.service = annotator.NewService(annotator.ServiceConfig{Store: w.Store, Blobs: w.blobs, Models: NewModels(w.blobs, t.TempDir(), 0), Clock: w.Clock.Now,
		Institution: &annotator.Institution{Name: "Uni", Issuer: "https://login.example.org", Groups: []annotator.GroupRole{{Group: "staff", Role: annotator.RoleAnnotator}}}})
	model, manifest := tinyABN(t)
	if w.file, err = model.Marshal(); err != nil {
		t.Fatal(err)
	}
	if w.beside, err = json.Marshal(manifest); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for i, bird := range aviary.Birds() {
		name := filepath.Join(folder, "train", bird.Name, fmt.Sprintf("%d.png", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		content := smallPNG(t, i+1)
		if i == 0 {
			content = content[:20] // it begins as one
		}
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if w.data, err = dataset.Open("folder", folder); err != nil {
		t.Fatal(err)
	}
	if w.data.Len() != 14 {
		t.Fatalf("%d pictures", w.data.Len())
	}
	return w
}

// state is every row of every table of the studio, but for jobs of imports, which tell that one was tried.
func (w *trailWorld) state() map[string]string {
	w.t.Helper()
	ctx := context.WithoutCancel(w.t.Context())
	rows, err := w.Store.Pool().Query(ctx, `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%' AND tablename NOT IN ('river_migration', 'river_leader')`)
	if err != nil {
		w.t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			w.t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	for _, table := range tables {
		where := ""
		if table == "jobs" {
			where = " WHERE kind <> 'import'"
		}
		var text string
		if err := w.Store.Pool().QueryRow(ctx, `SELECT coalesce(string_agg(t::text, E'\n' ORDER BY t::text), '') FROM `+table+` t`+where).Scan(&text); err != nil {
			w.t.Fatal(err)
		}
		out[table] = text
	}
	return out
}

// failing makes every insert into a table fail, as a full disk would, while do runs.
func (w *trailWorld) failing(table string, do func()) {
	w.t.Helper()
	exec := func(sql string) {
		w.t.Helper()
		if _, err := w.Store.Pool().Exec(context.WithoutCancel(w.t.Context()), sql); err != nil {
			w.t.Fatal(err)
		}
	}
	exec(`CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room for it'; END $$`)
	exec(`CREATE TRIGGER refuse BEFORE INSERT ON ` + table + ` FOR EACH ROW EXECUTE FUNCTION refuse()`)
	do()
	exec(`DROP TRIGGER refuse ON ` + table)
}

// unchanged fails unless do fails and leaves every row as it was.
func (w *trailWorld) unchanged(what string, do func() error) {
	w.t.Helper()
	before := w.state()
	if err := do(); err == nil || !strings.Contains(err.Error(), "no room for it") {
		w.t.Errorf("%s: %v, want the database's error", what, err)
	}
	after := w.state()
	for table := range after {
		if before[table] != after[table] {
			w.t.Errorf("%s failed, and left something in %s", what, table)
		}
	}
}

func (w *trailWorld) lines() (n int) {
	w.t.Helper()
	if err := w.Store.Pool().QueryRow(w.t.Context(), `SELECT count(*) FROM audit`).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// smallPNG is a small PNG, another one for every number.
func smallPNG(t *testing.T, number int) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 8, 8))
	for i := range img.Pix {
		img.Pix[i] = uint8(number * (i + 1))
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// ok is the value of a step that prepares another.
func ok[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Every method of the service that changes something writes who did it into the trail, in the same transaction: where the
// trail cannot be written, nothing is changed.
func TestEveryChangeIsInTheTrail(t *testing.T) {
	t.Parallel()
	w := newTrailWorld(t)
	ctx, s := t.Context(), w.service
	names := 0
	unique := func(what string) string { names++; return fmt.Sprintf("%s-%d", what, names) }
	only := func(_ any, err error) error { return err }
	slug := unique("project")
	ok(s.CreateProject(ctx, w.Admin, slug, "Birds", ""))
	submit := func(who annotator.User, slug string) annotator.TaskDetail {
		d := ok(s.NextTask(ctx, who, annotator.TaskFilter{Project: slug}))
		e := ok(s.SaveDraft(ctx, who, d.ID, annotator.Draft{Source: annotator.SourcePainted, Map: pgtest.Map(0.75)}))
		return ok(w.Service.Submit(ctx, who, d.ID, e.Revision))
	}
	submitted := func(who annotator.User) annotator.TaskDetail { return submit(who, "birds") }
	submittedIn := func(who annotator.User, slug string) annotator.TaskDetail { // in a project of its own: a project has few tasks
		w.AnotherProject(t, slug)
		return submit(who, slug)
	}
	claimed := func() annotator.RoundClaim { // a round that a worker has
		d := submitted(w.Bob)
		ok(s.Review(ctx, w.Reviewer, d.Edit.ID, annotator.VerdictApprove, ""))
		round := ok(s.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), ""))
		claim, _, err := w.Store.ClaimRound(ctx, round.ID)
		ok(0, err)
		return claim
	}
	apart := func() string { // a project of which only an admin is a member
		return ok(s.MakeProject(ctx, w.Admin, annotator.NewProject{Slug: unique("apart"), Name: "P", Apart: true})).Slug
	}
	upload := func() annotator.Upload {
		return ok(s.UploadModel(ctx, w.Admin, slug, w.sent()))
	}
	deleted := func(slug string) annotator.Project {
		p, _, _ := w.AnotherProject(t, slug)
		return ok(s.DeleteProject(ctx, w.Admin, p.Slug, p.Name))
	}
	person := func() annotator.User {
		return ok(s.CreateUser(ctx, w.Admin, annotator.NewUser{Email: unique("in") + "@example.org", Name: "U", Password: "plum-kettle-91", Role: annotator.RoleAnnotator}))
	}
	withFactor := func() (annotator.User, func() string) { // which waits for a code
		u := person()
		setup := ok(s.BeginFactor(ctx, u, "plum-kettle-91"))
		return u, func() string { return ok(totp.GenerateCode(setup.Secret, w.Clock.Now())) }
	}
	webhook := func() annotator.Webhook {
		_, hook, err := s.AddWebhook(ctx, w.Admin, "birds", annotator.NewWebhook{URL: "https://ci.example.org/"})
		ok(0, err)
		return hook
	}
	type change = func() error // prepared, so that it may fail once and then be made
	changes := map[string]func() change{
		"CreateProject": func() change {
			slug := unique("project")
			return func() error { return only(s.CreateProject(ctx, annotator.System, slug, "P", "")) }
		},
		"MakeProject": func() change {
			n := annotator.NewProject{Slug: unique("project"), Name: "P", Apart: true}
			return func() error { return only(s.MakeProject(ctx, w.Admin, n)) }
		},
		"AddMember": func() change {
			slug := apart()
			return func() error { return only(s.AddMember(ctx, w.Admin, slug, w.Bob.Email, "")) }
		},
		"SetMember": func() change {
			slug := apart()
			return func() error { return only(s.SetMember(ctx, w.Admin, slug, w.Bob.ID, annotator.RoleLead)) }
		},
		"RemoveMember": func() change {
			slug := apart()
			return func() error { return s.RemoveMember(ctx, w.Admin, slug, w.Admin.ID) }
		},
		"UnpackProject": func() change {
			var packed bytes.Buffer
			ok(archive.Write(ctx, s, w.Admin, archive.Request{Project: "birds", PackChoices: annotator.PackChoices{Pictures: true}}, &packed))
			opened := ok(archive.Open("birds.zip", bytes.NewReader(packed.Bytes()), int64(packed.Len())))
			slug := unique("unpacked")
			return func() error { return only(s.UnpackProject(ctx, w.Admin, slug, "", opened)) }
		},
		"ChangeProject": func() change {
			name := unique("name")
			return func() error {
				return only(s.ChangeProject(ctx, w.Admin, slug, annotator.ProjectChange{Name: &name}))
			}
		},
		"CloseProject": func() change {
			slug := unique("closing")
			w.AnotherProject(t, slug)
			return func() error { return only(s.CloseProject(ctx, w.Admin, slug)) }
		},
		"ReopenProject": func() change {
			slug := unique("reopening")
			w.AnotherProject(t, slug)
			ok(s.CloseProject(ctx, w.Admin, slug))
			return func() error { return only(s.ReopenProject(ctx, w.Admin, slug)) }
		},
		"DeleteProject": func() change {
			p, _, _ := w.AnotherProject(t, unique("deleting"))
			return func() error { return only(s.DeleteProject(ctx, w.Admin, p.Slug, p.Name)) }
		},
		"RestoreProject": func() change {
			p := deleted(unique("restoring"))
			return func() error { return only(s.RestoreProject(ctx, w.Admin, p.Slug)) }
		},
		"PurgeProject": func() change {
			p := deleted(unique("purging"))
			return func() error { return s.PurgeProject(ctx, w.Admin, p.Slug, p.Name) }
		},
		"PurgeDeletedProjects": func() change {
			p := deleted(unique("purging"))
			if _, err := w.Store.Pool().Exec(ctx, `UPDATE projects SET deleted_at = deleted_at - interval '31 days' WHERE id = $1`, p.ID); err != nil {
				t.Fatal(err)
			}
			return func() error { return only(s.PurgeDeletedProjects(ctx, annotator.System)) }
		},
		"SendSegmenter": func() change {
			return func() error {
				return only(s.SendSegmenter(ctx, w.Admin, sentSegmenter(t, "sam_encoder", "sam_decoder")))
			}
		},
		"AddSegmenter": func() change {
			add := annotator.SegmenterToAdd{Name: unique("encoder"), Encoder: segmenterFile(t, "sam_encoder"), Decoder: segmenterFile(t, "sam_decoder")}
			return func() error { return only(s.AddSegmenter(ctx, w.Admin, add)) }
		},
		"RemoveSegmenter": func() change {
			ok(s.AddSegmenter(ctx, w.Admin, annotator.SegmenterToAdd{Name: "encoder", Encoder: segmenterFile(t, "sam_encoder"), Decoder: segmenterFile(t, "sam_decoder")}))
			return func() error { return s.RemoveSegmenter(ctx, w.Admin) }
		},
		"RenameClass": func() change {
			name := unique("class")
			return func() error { return only(s.RenameClass(ctx, w.Admin, slug, 0, name)) }
		},
		"SetStart": func() change {
			return func() error {
				return only(s.SetStart(ctx, w.Admin, slug, attention.Start{Method: attention.StartModel}))
			}
		},
		"CreateUser": func() change {
			u := annotator.NewUser{Email: unique("u") + "@example.org", Name: "U", Password: "a long enough password 7", Role: annotator.RoleAnnotator}
			return func() error { return only(s.CreateUser(ctx, annotator.System, u)) }
		},
		"ChangeUser": func() change {
			name := unique("Bob")
			return func() error { return only(s.ChangeUser(ctx, w.Admin, w.Bob.ID, annotator.UserChange{Name: &name})) }
		},
		"RemovePerson": func() change {
			email := unique("leaving") + "@example.org"
			u := ok(s.CreateUser(ctx, annotator.System, annotator.NewUser{Email: email, Name: "U", Password: "a long enough password 7", Role: annotator.RoleAnnotator}))
			return func() error { return only(s.RemovePerson(ctx, w.Admin, u.ID, email)) }
		},
		"NextTask": func() change {
			return func() error { return only(s.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})) }
		},
		"ClaimTask": func() change {
			d := ok(s.NextTask(ctx, w.Bob, annotator.TaskFilter{Project: "birds"}))
			ok(0, s.GiveBack(ctx, w.Bob, d.ID))
			return func() error { return only(s.ClaimTask(ctx, w.Bob, d.ID)) }
		},
		"GiveBack": func() change {
			d := ok(s.NextTask(ctx, w.Bob, annotator.TaskFilter{Project: "birds"}))
			return func() error { return s.GiveBack(ctx, w.Bob, d.ID) }
		},
		"Skip": func() change {
			d := ok(s.NextTask(ctx, w.Bob, annotator.TaskFilter{Project: "birds"}))
			return func() error { return s.Skip(ctx, w.Bob, d.ID, "blurred") }
		},
		"ChangeTasks": func() change {
			w.AnotherProject(w.t, "many")
			return func() error {
				return only(s.ChangeTasks(ctx, w.Reviewer, "many", annotator.BulkChange{Action: annotator.BulkAssign, All: true, User: w.Bob.ID}))
			}
		},
		"UndoAssignment": func() change {
			w.AnotherProject(w.t, "undone")
			done := ok(s.ChangeTasks(ctx, w.Reviewer, "undone", annotator.BulkChange{Action: annotator.BulkAssign, All: true, User: w.Bob.ID}))
			return func() error { return only(s.UndoAssignment(ctx, w.Reviewer, "undone", done.Undo)) }
		},
		"Reopen": func() change {
			d := ok(s.NextTask(ctx, w.Bob, annotator.TaskFilter{Project: "birds"}))
			ok(0, s.Skip(ctx, w.Bob, d.ID, "blurred"))
			return func() error { return s.Reopen(ctx, w.Reviewer, d.ID) }
		},
		"Submit": func() change {
			d := ok(s.NextTask(ctx, w.Bob, annotator.TaskFilter{Project: "birds"}))
			e := ok(s.SaveDraft(ctx, w.Bob, d.ID, annotator.Draft{Source: annotator.SourcePainted, Map: pgtest.Map(0.5)}))
			return func() error { return only(w.Service.Submit(ctx, w.Bob, d.ID, e.Revision)) }
		},
		"Review": func() change {
			d := submitted(w.Bob)
			return func() error { return only(s.Review(ctx, w.Reviewer, d.Edit.ID, annotator.VerdictApprove, "")) }
		},
		"Judge": func() change {
			d := submittedIn(w.Bob, unique("judging"))
			return func() error {
				return only(s.Judge(ctx, w.Reviewer, d.Edit.ID, annotator.Judgement{Verdict: annotator.VerdictReject, Pins: []annotator.Pin{{Row: 1, Column: 1, Words: "here"}}}))
			}
		},
		"ApproveMany": func() change {
			slug := unique("many")
			d := submittedIn(w.Bob, slug)
			return func() error { return only(s.ApproveMany(ctx, w.Reviewer, slug, []int64{d.Edit.ID})) }
		},
		"RetractMany": func() change {
			slug := unique("many")
			d := submittedIn(w.Bob, slug)
			ok(s.ApproveMany(ctx, w.Reviewer, slug, []int64{d.Edit.ID}))
			return func() error { return only(s.RetractMany(ctx, w.Reviewer, slug, []int64{d.Edit.ID})) }
		},
		"Correct": func() change {
			d := submittedIn(w.Bob, unique("correcting"))
			return func() error {
				return only(w.Service.Correct(ctx, w.Reviewer, d.Edit.ID, annotator.Draft{BaseRevision: d.Edit.Revision, Source: annotator.SourcePainted, Map: pgtest.Map(0.25)}, annotator.Judgement{}))
			}
		},
		"Adopt": func() change {
			slug := unique("adopting")
			w.AnotherProject(w.t, slug)
			ok(s.ChangeProject(ctx, w.Admin, slug, annotator.ProjectChange{Overlap: &annotator.Overlap{Share: 100, Painters: 2, Seed: 1}}))
			var image int64
			var sources []int64
			for _, who := range []annotator.User{w.Ada, w.Bob} {
				d := ok(w.Service.NextTask(ctx, who, annotator.TaskFilter{Project: slug}))
				e := ok(w.Service.SaveDraft(ctx, who, d.ID, annotator.Draft{Source: annotator.SourcePainted, Map: pgtest.Map(0.25)}))
				d = ok(w.Service.Submit(ctx, who, d.ID, e.Revision))
				image, sources = d.ImageID, append(sources, d.Edit.ID)
			}
			return func() error {
				return only(w.Service.Adopt(ctx, w.Reviewer, slug, image, annotator.Adoption{Sources: sources}))
			}
		},
		"TakeBack": func() change {
			d := submittedIn(w.Bob, unique("taking-back"))
			return func() error { return only(s.TakeBack(ctx, w.Bob, d.ID)) }
		},
		"Retract": func() change {
			d := submittedIn(w.Bob, unique("retracting"))
			ok(s.Review(ctx, w.Reviewer, d.Edit.ID, annotator.VerdictApprove, ""))
			return func() error { return only(s.Retract(ctx, w.Reviewer, d.Edit.ID)) }
		},
		"StartRound": func() change {
			d := submitted(w.Bob)
			ok(s.Review(ctx, w.Reviewer, d.Edit.ID, annotator.VerdictApprove, ""))
			return func() error {
				round, err := s.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), "")
				if err == nil {
					_, err = w.Store.CancelRound(ctx, round.ID) // one at a time
				}
				return err
			}
		},
		"StartForecast": func() change {
			slug := unique("forecast")
			_, version, images := w.AnotherProject(t, slug)
			var edits []annotator.SeedEdit
			pool := annotator.SplitPool
			for _, image := range images {
				if image.Split == annotator.SplitTest {
					ok(s.ChangeImage(ctx, w.Admin, image.ID, annotator.ImageChange{Split: &pool}))
				}
				edits = append(edits, annotator.SeedEdit{ImageID: image.ID, Map: pgtest.Map(0.5)})
			}
			ok(s.SeedEdits(ctx, w.Admin, version.ID, "Generator", "Mask check", edits))
			return func() error { return only(s.StartForecast(ctx, w.Admin, slug)) }
		},
		"CancelRound": func() change {
			d := submitted(w.Bob)
			ok(s.Review(ctx, w.Reviewer, d.Edit.ID, annotator.VerdictApprove, ""))
			round := ok(s.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), ""))
			return func() error { return only(s.CancelRound(ctx, w.Admin, round.ID)) }
		},
		"FinishRound": func() change {
			claim := claimed()
			return func() error {
				return only(s.FinishRound(ctx, claim, pgtest.NewVersion(10+names), annotator.RoundResult{}, annotator.RoundRows{}))
			}
		},
		"FailRound": func() change {
			claim := claimed()
			return func() error { return s.FailRound(ctx, claim, "the disk is full") }
		},
		"ActivateVersion": func() change {
			v := ok(w.Store.AddVersion(ctx, w.Project.ID, pgtest.NewVersion(10+names)))
			return func() error { return only(s.ActivateVersion(ctx, annotator.System, v.ID, "")) }
		},
		"StartScan": func() change { return func() error { return only(s.StartScan(ctx, annotator.System, w.Version.ID)) } },
		"UploadModel": func() change {
			return func() error {
				return only(s.UploadModel(ctx, w.Admin, slug, w.sent()))
			}
		},
		"AddUpload": func() change {
			u := upload()
			return func() error { _, _, err := s.AddUpload(ctx, w.Admin, u.ID, nil, false); return err }
		},
		"FinishUpload": func() change {
			u := upload()
			_, job, err := s.AddUpload(ctx, w.Admin, u.ID, nil, true)
			v := ok(NewModels(w.blobs, t.TempDir(), 0).Try(ctx, w.file, w.beside))
			ok(0, err)
			return func() error { return only(s.FinishUpload(ctx, u.ID, job.ID, v)) }
		},
		"RefuseUpload": func() change {
			u := upload()
			_, job, err := s.AddUpload(ctx, w.Admin, u.ID, nil, true)
			ok(0, err)
			return func() error { return s.RefuseUpload(ctx, u.ID, job.ID, "it did not run") }
		},
		"AddModel": func() change {
			return func() error {
				return only(s.AddModel(ctx, annotator.System, slug, annotator.ModelToAdd{Name: "m.onnx", File: w.file, Manifest: w.beside}))
			}
		},
		"ImportImages": func() change {
			return func() error {
				return only(s.ImportImages(ctx, annotator.System, slug, ImageImport(w.blobs, "folder birds", w.data, ImportOptions{}), nil))
			}
		},
		"SeedEdits": func() change {
			image := w.Images[len(w.Images)-1]
			return func() error {
				return only(s.SeedEdits(ctx, annotator.System, w.Version.ID, "Generator", "Mask check", []annotator.SeedEdit{{ImageID: image.ID, Map: pgtest.Map(0.5)}}))
			}
		},
		"BringMaps": func() change {
			slug := unique("brought")
			_, _, images := w.AnotherProject(w.t, slug)
			image := images[0]
			return func() error {
				return only(s.BringMaps(ctx, w.Admin, slug, "maps.npz", []annotator.BroughtMap{{From: "maps.npz", ImageID: image.ID, Map: pgtest.Map(0.5), Author: "Zoë"}}, annotator.BringChoices{}))
			}
		},
		"LeaveOut": func() change {
			slug := unique("leaking")
			images := w.leaking(slug)
			return func() error { return only(s.LeaveOut(ctx, w.Admin, slug, 0, images)) }
		},
		"TakeIn": func() change {
			slug := unique("leaking")
			images := w.leaking(slug)
			ok(s.LeaveOut(ctx, w.Admin, slug, 0, images))
			return func() error { return only(s.TakeIn(ctx, w.Admin, slug, images)) }
		},
		"AskForMap": func() change {
			_, _, images := w.AnotherProject(t, unique("asked"))
			ok(w.Store.Pool().Exec(ctx, `DELETE FROM tasks WHERE image_id = $1`, images[0].ID)) // as if the version were right
			return func() error { return only(s.AskForMap(ctx, w.Ada, images[0].ID)) }
		},
		"ProposeLabel": func() change {
			_, _, images := w.AnotherProject(t, unique("labels"))
			return func() error {
				return only(s.ProposeLabel(ctx, w.Ada, images[0].ID, annotator.LabelProposal{Says: annotator.LabelIsNone}))
			}
		},
		"JudgeLabel": func() change {
			_, _, images := w.AnotherProject(t, unique("labels"))
			v := ok(s.ProposeLabel(ctx, w.Ada, images[0].ID, annotator.LabelProposal{Says: annotator.LabelIsNone}))
			return func() error { return only(s.JudgeLabel(ctx, w.Reviewer, v.ID, annotator.LabelConfirm, "")) }
		},
		"WithdrawLabel": func() change {
			_, _, images := w.AnotherProject(t, unique("labels"))
			v := ok(s.ProposeLabel(ctx, w.Ada, images[0].ID, annotator.LabelProposal{Says: annotator.LabelIsNone}))
			return func() error { return only(s.WithdrawLabel(ctx, w.Ada, v.ID)) }
		},
		"ChangeImage": func() change {
			_, _, images := w.AnotherProject(w.t, unique("images"))
			pool := annotator.SplitPool
			return func() error {
				return only(s.ChangeImage(ctx, w.Admin, images[0].ID, annotator.ImageChange{Split: &pool}))
			}
		},
		"DeleteImages": func() change {
			slug := unique("images")
			_, _, images := w.AnotherProject(w.t, slug)
			return func() error { return only(s.DeleteImages(ctx, w.Admin, slug, []int64{images[0].ID})) }
		},
		"RestoreImages": func() change {
			slug := unique("images")
			_, _, images := w.AnotherProject(w.t, slug)
			ok(s.DeleteImages(ctx, w.Admin, slug, []int64{images[0].ID}))
			return func() error { return only(s.RestoreImages(ctx, w.Admin, slug, []int64{images[0].ID})) }
		},
		"PurgeImages": func() change {
			slug := unique("images")
			_, _, images := w.AnotherProject(w.t, slug)
			ok(s.DeleteImages(ctx, w.Admin, slug, []int64{images[0].ID}))
			return func() error { return only(s.PurgeImages(ctx, w.Admin, slug, []int64{images[0].ID})) }
		},
		"BeginSession": func() change { return func() error { return only(s.BeginSession(ctx, w.Bob, annotator.Client{})) } },
		"BeginSessionBy": func() change {
			return func() error {
				return only(s.BeginSessionBy(ctx, w.Bob, annotator.Client{}, annotator.Shown{By: annotator.ByInstitution}))
			}
		},
		"SignInBy": func() change {
			v := annotator.Vouched{Issuer: "https://login.example.org", Subject: unique("subject"), Email: unique("in") + "@example.org", Verified: true, Groups: []string{"staff"}}
			return func() error { return only(s.SignInBy(ctx, v, annotator.Client{})) }
		},
		"LinkIdentity": func() change {
			u := person()
			v := annotator.Vouched{Issuer: "https://login.example.org", Subject: unique("subject"), Groups: []string{"staff"}}
			return func() error { return s.LinkIdentity(ctx, u, v, annotator.Client{}) }
		},
		"UnlinkIdentity": func() change {
			u := person()
			ok(0, s.LinkIdentity(ctx, u, annotator.Vouched{Issuer: "https://login.example.org", Subject: unique("subject"), Groups: []string{"staff"}}, annotator.Client{}))
			i := ok(s.SignInWays(ctx, u, u.ID)).Identities[0]
			return func() error { return s.UnlinkIdentity(ctx, u, u.ID, i.ID) }
		},
		"BeginFactor": func() change {
			u := person()
			return func() error { return only(s.BeginFactor(ctx, u, "plum-kettle-91")) }
		},
		"ConfirmFactor": func() change {
			u, code := withFactor()
			return func() error { return only(s.ConfirmFactor(ctx, u, code())) }
		},
		"NewRecoveryCodes": func() change {
			u, code := withFactor()
			recovery := ok(s.ConfirmFactor(ctx, u, code()))
			return func() error { return only(s.NewRecoveryCodes(ctx, u, "plum-kettle-91", recovery[0])) }
		},
		"EndFactor": func() change {
			u, code := withFactor()
			recovery := ok(s.ConfirmFactor(ctx, u, code()))
			return func() error { return s.EndFactor(ctx, u, "plum-kettle-91", recovery[0]) }
		},
		"TakeOffFactor": func() change {
			u, _ := withFactor()
			return func() error { return s.TakeOffFactor(ctx, w.Admin, u.ID) }
		},
		"AddPasskey": func() change {
			k := annotator.Passkey{Handle: []byte(unique("handle")), Credential: []byte("{}"), Name: "K"}
			return func() error { return only(s.AddPasskey(ctx, w.Bob, k)) }
		},
		"RenamePasskey": func() change {
			k := ok(s.AddPasskey(ctx, w.Bob, annotator.Passkey{Handle: []byte(unique("handle")), Credential: []byte("{}"), Name: "K"}))
			return func() error { return s.RenamePasskey(ctx, w.Bob, k.ID, "L") }
		},
		"RemovePasskey": func() change {
			k := ok(s.AddPasskey(ctx, w.Bob, annotator.Passkey{Handle: []byte(unique("handle")), Credential: []byte("{}"), Name: "K"}))
			return func() error { return s.RemovePasskey(ctx, w.Admin, w.Bob.ID, k.ID) }
		},
		"Invite": func() change {
			return func() error {
				_, _, err := s.Invite(ctx, w.Admin, annotator.NewInvitation{Email: "in@example.org", Role: annotator.RoleAnnotator, Projects: []annotator.Joining{{Project: "birds", Role: annotator.RoleLead}}})
				return err
			}
		},
		"InviteTo": func() change {
			return func() error {
				_, _, err := s.InviteTo(ctx, w.Admin, "birds", "in@example.org", annotator.RoleReviewer)
				return err
			}
		},
		"RevokeInvitation": func() change {
			_, i, err := s.InviteTo(ctx, w.Admin, "birds", "in@example.org", annotator.RoleReviewer)
			ok(0, err)
			return func() error { return s.RevokeInvitation(ctx, w.Admin, i.ID) }
		},
		"RevokeInvitationTo": func() change {
			_, i, err := s.InviteTo(ctx, w.Admin, "birds", "in@example.org", annotator.RoleReviewer)
			ok(0, err)
			return func() error { return s.RevokeInvitationTo(ctx, w.Admin, "birds", i.ID) }
		},
		"AcceptInvitation": func() change {
			secret, _, err := s.InviteTo(ctx, w.Admin, "birds", unique("in")+"@example.org", annotator.RoleReviewer)
			ok(0, err)
			return func() error { return only(s.AcceptInvitation(ctx, secret, "Invited", "plum-kettle-91")) }
		},
		"JoinByInvitation": func() change {
			secret, _, err := s.InviteTo(ctx, w.Admin, "birds", w.Bob.Email, annotator.RoleLead)
			ok(0, err)
			return func() error { return s.JoinByInvitation(ctx, w.Bob, secret) }
		},
		"AddWebhook": func() change {
			return func() error {
				_, _, err := s.AddWebhook(ctx, w.Admin, "birds", annotator.NewWebhook{URL: "https://ci.example.org/"})
				return err
			}
		},
		"SetQuota": func() change { return func() error { return only(s.SetQuota(ctx, w.Admin, "birds", 1e12)) } },
		"SetDefaultQuota": func() change {
			return func() error { return s.SetDefaultQuota(ctx, w.Admin, 1e12) }
		},
		"SwitchOff": func() change {
			hook := webhook()
			return func() error { return s.SwitchOff(ctx, w.Admin, "birds", hook.ID) }
		},
		"SwitchOn": func() change {
			hook := webhook()
			ok(0, s.SwitchOff(ctx, w.Admin, "birds", hook.ID))
			return func() error { return s.SwitchOn(ctx, w.Admin, "birds", hook.ID) }
		},
		"TryWebhook": func() change {
			hook := webhook()
			return func() error { return s.TryWebhook(ctx, w.Admin, "birds", hook.ID) }
		},
		"Redeliver": func() change {
			hook := webhook()
			ok(0, s.TryWebhook(ctx, w.Admin, "birds", hook.ID))
			sent := ok(s.Deliveries(ctx, w.Admin, "birds", hook.ID, 0))
			ok(0, w.Store.EndAttempt(ctx, sent[0].ID, annotator.DeliveryAttempt{At: hook.CreatedAt}, false))
			return func() error { return s.Redeliver(ctx, w.Admin, "birds", hook.ID, sent[0].ID) }
		},
		"RemoveWebhook": func() change {
			hook := webhook()
			return func() error { return s.RemoveWebhook(ctx, w.Admin, "birds", hook.ID) }
		},
		"EndSession": func() change {
			session := ok(s.BeginSession(ctx, w.Bob, annotator.Client{}))
			return func() error { return s.EndSession(ctx, w.Bob, session.ID) }
		},
		"EndSessions": func() change {
			ok(s.BeginSession(ctx, w.Bob, annotator.Client{}))
			return func() error { return only(s.EndSessions(ctx, w.Bob, w.Bob.ID, 0)) }
		},
		"TellExport": func() change {
			return func() error { return s.TellExport(ctx, w.Bob, "birds", annotator.ExportMaps, "csv") }
		},
		"PersonalData": func() change { return func() error { return s.PersonalData(ctx, w.Bob, w.Bob.ID, io.Discard) } },
		"PackProject": func() change {
			return func() error {
				_, err := archive.Write(ctx, s, w.Admin, archive.Request{Project: "birds"}, io.Discard)
				return err
			}
		},
		"ExportTrail": func() change {
			return func() error {
				for _, err := range s.ExportTrail(ctx, w.Admin, annotator.TrailFilter{}) {
					if err != nil {
						return err
					}
				}
				return nil
			}
		},
		"NewSetupLink": nil, "CreateFirstAdmin": nil, // they need a studio without people: annotator's tests have one
		"CreateToken": nil, "RevokeToken": nil, // the table of annotator's tests has those, with their passwords and scopes
	}
	for method := range reflect.TypeFor[*annotator.Service]().Methods() {
		_, told := changes[method.Name]
		if _, known := untold[method.Name]; !told && !known && !slices.Contains(reads, method.Name) {
			t.Errorf("annotator.Service.%s: is it a read, or a change that this test should see in the trail?", method.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if changes[name] == nil {
			continue
		}
		change := changes[name]()
		w.failing("audit", func() { w.unchanged(name+" without a trail", change) })
		before := w.lines()
		if err := change(); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if w.lines() == before {
			t.Errorf("%s is in no line of the trail", name)
		}
	}
}

// Adding a model makes the version, its activation and its scan, or, whichever step fails, none of them. An import with its classes
// and its scan does too.
func TestAddingIsWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	w := newTrailWorld(t)
	ctx, s := t.Context(), w.service
	ok(s.CreateProject(ctx, w.Admin, "aviary", "Aviary", ""))
	actions := func() (list []string) {
		for _, e := range slices.Backward(ok(s.Audit(ctx, w.Admin, "aviary", 0))) {
			list = append(list, e.Actor+": "+e.Action)
		}
		return list
	}
	importing := func() error {
		out, err := s.ImportImages(ctx, annotator.System, "aviary", ImageImport(w.blobs, "folder birds", w.data, ImportOptions{}), nil)
		if err == nil && (out.Added != 14 || out.Broken != 1) {
			t.Errorf("imported %+v", out)
		}
		return err
	}
	for _, table := range []string{"classes", "images", "audit"} {
		w.failing(table, func() { w.unchanged("an import that cannot write its "+table, importing) })
	}
	if err := importing(); err != nil {
		t.Fatal(err)
	}
	all := ok(s.Jobs(ctx, w.Admin, "aviary"))
	if j := all[0]; j.State != "finished" || j.Done != 14 || j.Fraction != 1 || j.Unreadable != 1 || !strings.HasPrefix(j.Message, "1 of 14 images cannot be read, the first train/") {
		t.Errorf("the import's job: %+v", j)
	}
	for _, j := range all[1:] {
		if j.State != "failed" || !strings.Contains(j.Message, "no room for it") {
			t.Errorf("the job of an import that failed: %+v", j)
		}
	}
	first := annotator.ModelToAdd{Name: "first.onnx", File: w.file, Manifest: w.beside}
	second := annotator.ModelToAdd{Name: "second.onnx", File: w.file, Manifest: w.beside, Activate: true}
	for _, m := range []annotator.ModelToAdd{first, second} {
		adding := func() error { _, err := s.AddModel(ctx, annotator.System, "aviary", m); return err }
		for _, table := range []string{"versions", "jobs", "scan_chunks", "river_job", "job_parts", "audit"} {
			w.failing(table, func() { w.unchanged(m.Name+" that cannot write its "+table, adding) })
		}
		if err := adding(); err != nil {
			t.Fatal(err)
		}
	}
	versions := ok(s.Versions(ctx, w.Admin, "aviary"))
	if len(versions) != 2 || versions[0].State != annotator.VersionArchived || versions[1].State != annotator.VersionActive {
		t.Errorf("versions %+v", versions)
	}
	want := []string{
		"Grace: project.create", "Grace: member.add", "command line: image.import",
		"command line: version.add", "command line: version.activate", "command line: version.scan",
		"command line: version.add", "command line: version.activate", "command line: version.scan",
	}
	if got := actions(); !slices.Equal(got, want) {
		t.Errorf("the trail:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// Whoever may not add changes nothing either.
	for _, who := range []annotator.User{{}, w.Ada, w.Reviewer} {
		before := w.state()
		if _, err := s.AddModel(ctx, who, "aviary", first); err == nil {
			t.Errorf("%s adds a model", who.Name)
		}
		if _, err := s.ImportImages(ctx, who, "aviary", ImageImport(w.blobs, "folder", w.data, ImportOptions{}), nil); err == nil {
			t.Errorf("%s imports", who.Name)
		}
		if _, err := s.SeedEdits(ctx, who, w.Version.ID, "Generator", "Mask check", nil); err == nil {
			t.Errorf("%s approves edits of a program", who.Name)
		}
		if !maps.Equal(before, w.state()) {
			t.Errorf("%s changed something", who.Name)
		}
	}
}

// sent is the network and its manifest as an upload has them.
func (w *trailWorld) sent() func() (annotator.SentFile, error) {
	return sentAs(annotator.SentFile{Kind: annotator.SentModel, Name: "m.onnx", Reader: bytes.NewReader(w.file)},
		annotator.SentFile{Kind: annotator.SentManifest, Name: "m.json", Reader: bytes.NewReader(w.beside)})
}
