package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/recipe/recipetest"
)

// Form and API accept and refuse the same values as command line and trainer.
func TestFormAndAPIJudgeSettingsByTheRecipe(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	task := s.submit()
	s.as(annotator.RoleReviewer).api(http.MethodPost, fmt.Sprintf("/edits/%d/review", task.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusOK)
	admin := s.as(annotator.RoleAdmin)
	cancel := func(round string) { admin.post(round+"/cancel", nil).want(http.StatusSeeOther) }
	for _, c := range recipetest.Cases() {
		if f, _ := recipe.FieldNamed(c.Field); f.Group == "" { // a round of a project has none
			continue
		}
		form := recipetest.Form(recipe.Defaults())
		form.Set(c.Field, c.Text)
		got := admin.post("/projects/birds/rounds", form)
		if c.Refused == "" {
			cancel(got.want(http.StatusSeeOther).Header.Get("Location"))
		} else if says := got.want(http.StatusUnprocessableEntity).page().Find(".notice-bad").Text(); !strings.HasSuffix(says, " "+c.Refused) && !strings.HasSuffix(says, ": "+c.Refused) {
			t.Errorf("form, %s of %s: %q, want %q", c.Field, c.Text, says, c.Refused)
		}
		if !c.Number() {
			continue
		}
		body := map[string]any{c.Field: c.Value}
		if c.Value == "adamw" {
			body["learning_rate"] = 0.001
		}
		answer := admin.api(http.MethodPost, "/projects/birds/rounds", body)
		if c.Refused == "" {
			cancel(fmt.Sprintf("/projects/birds/rounds/%d", into[roundMade](answer.want(http.StatusCreated)).Round.ID))
		} else if p := into[Problem](answer.want(http.StatusUnprocessableEntity)); p.Detail != c.Refused || len(p.Errors) != 1 || p.Errors[0].Location != "body."+c.Field || p.Errors[0].Message != c.Refused {
			t.Errorf("API, %s of %s: %+v, want %q", c.Field, c.Text, p, c.Refused)
		}
	}
}

// A round is stored with a momentum and a seed of 0 if they are given; settings that are left out get the defaults.
func TestZeroIsAValueOfTheAPI(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	task := s.submit()
	s.as(annotator.RoleReviewer).api(http.MethodPost, fmt.Sprintf("/edits/%d/review", task.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusOK)
	round := into[roundMade](s.as(annotator.RoleAdmin).api(http.MethodPost, "/projects/birds/rounds", map[string]any{"momentum": 0, "seed": 0}).want(http.StatusCreated)).Round
	if r := round.Settings; r.Momentum != 0 || r.Seed != 0 || r.LearningRate <= 0 {
		t.Errorf("%+v", r)
	}
	s.as(annotator.RoleAdmin).get(fmt.Sprintf("/projects/birds/rounds/%d", round.ID)).has(".facts", "SGD, momentum 0")
}

// A round has exactly the settings that the form shows. If one is refused, the form shows the problem beside it and keeps the other values.
func TestRoundForm(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	task := s.submit()
	s.as(annotator.RoleReviewer).api(http.MethodPost, fmt.Sprintf("/edits/%d/review", task.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusOK)
	admin := s.as(annotator.RoleAdmin)
	page := admin.get("/projects/birds/rounds/new").want(http.StatusOK)
	page.has("[aria-label='What it learns from']", "Training images6")
	settings := recipe.Defaults()
	for _, f := range recipe.Fields { // what the form shows, numbers and lists
		if value, ok := page.page().Find("input[type=number][name=" + f.Name + "]").Attr("value"); ok {
			must(t, settings.Read(f.Name, value))
		}
		if value, ok := page.page().Find("select[name=" + f.Name + "] option[selected]").Attr("value"); ok {
			must(t, settings.Read(f.Name, value))
		}
	}
	if settings.LearningRate == 0 || settings.Epochs != recipe.Defaults().Epochs {
		t.Fatalf("the form shows %+v", settings)
	}
	settings.Gamma, settings.Engine, settings.Optimizer, settings.Strategy, settings.Rates = 2, "gorgonia", "nesterov", "attention", "one"
	settings.SpareNorms, settings.Balanced, settings.Flip, settings.Anchor, settings.Patience, settings.WarmUp = true, true, true, 0.25, 3, 0.1
	form := recipetest.Form(settings)
	key, _ := page.page().Find("input[name=key]").Attr("value")
	form.Set("key", key)
	for value, says := range map[string]string{"much": "which is no number", "-1": "want 0 (never) to 1000000"} {
		form.Set("clip_norm", value)
		refused := admin.post("/projects/birds/rounds", form).want(http.StatusUnprocessableEntity)
		refused.has(".notice-bad", "Clip norm is")
		refused.has("details[open] .problem", says)
		refused.has("input[name=gamma][value='2']", "")
		refused.has("input[name=engine][value=gorgonia][checked]", "")
	}
	form.Set("clip_norm", "5")
	form.Set("gamma", "0")
	admin.post("/projects/birds/rounds", form).want(http.StatusUnprocessableEntity).has(".problem", "what the control trains with")
	admin.api(http.MethodPost, "/projects/birds/rounds", map[string]any{"gamma": 0}).want(http.StatusUnprocessableEntity)
	form.Set("gamma", "2")
	started := admin.post("/projects/birds/rounds", form).want(http.StatusSeeOther).Header.Get("Location")
	round := admin.get(started).want(http.StatusOK)
	round.has(".head", "on Gorgonia")
	round.has("[data-chart=loss_anchor]", "")
	rounds, err := s.service.Rounds(t.Context(), s.people[annotator.RoleAdmin], "birds")
	must(t, err)
	settings.ClipNorm = 5
	if rounds[0].Settings != settings {
		t.Errorf("the round's settings are %+v, want %+v", rounds[0].Settings, settings)
	}
	admin.get("/projects/birds/rounds").has("table.rounds", "Gorgonia")

	// Once it is over, another can be started with its settings.
	round.hasNot(".head a[href*='rounds/new']")
	admin.post(started+"/cancel", nil).want(http.StatusSeeOther)
	over := admin.get(started).want(http.StatusOK)
	over.has(".head", "New round like this")
	again, _ := over.page().Find(".head a[href*='rounds/new']").Attr("href")
	like := admin.get(again).want(http.StatusOK)
	like.has(".head", "with the settings of round 1")
	like.has("input[name=anchor][value='0.25']", "")
	like.has("input[name=engine][value=gorgonia][checked]", "")
	s.as(annotator.RoleAnnotator).get(started).hasNot(".head a[href*='rounds/new']")
	admin.get("/projects/birds/rounds/new?like=4711").want(http.StatusNotFound)
	admin.get("/projects/birds/rounds/new?like=that").want(http.StatusNotFound)
}

func TestTokensAreListedAndRevoked(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	owner, other, admin := s.as(annotator.RoleAnnotator), s.as(annotator.RoleReviewer), s.as(annotator.RoleAdmin)
	made := func(name string) string {
		return owner.post("/account/tokens", url.Values{"name": {name}, "scope": {"read"}, "days": {"30"}, "current": {password}}).want(http.StatusOK).page().Find("[data-token]").Text()
	}
	first, second := made("nightly export"), made("a laptop")
	asToken := func(token string) *response {
		return s.nobody().do(http.MethodGet, apiPrefix+"/projects", nil, "Authorization", "Bearer "+token)
	}
	asToken(first).want(http.StatusOK)
	list := into[tokenList](owner.api(http.MethodGet, "/tokens", nil).want(http.StatusOK)).Tokens
	if len(list) != 2 || list[0].Name != "a laptop" || list[0].LastUsedAt != nil || list[1].LastUsedAt == nil {
		t.Fatalf("the tokens are %+v, want the newest first and the first one used", list)
	}
	if got := into[tokenList](other.api(http.MethodGet, "/tokens", nil)).Tokens; len(got) != 0 {
		t.Errorf("somebody else is shown %+v", got)
	}
	user := s.people[annotator.RoleAnnotator].ID
	if got := into[tokenList](admin.api(http.MethodGet, fmt.Sprintf("/users/%d/tokens", user), nil).want(http.StatusOK)).Tokens; len(got) != 2 {
		t.Errorf("an admin is shown %+v", got)
	}
	other.api(http.MethodGet, fmt.Sprintf("/users/%d/tokens", user), nil).want(http.StatusForbidden)

	// Nobody revokes another's, nor learns that it is there; the owner and an admin do.
	other.api(http.MethodDelete, fmt.Sprintf("/tokens/%d", list[1].ID), nil).want(http.StatusNotFound)
	asToken(first).want(http.StatusOK)
	row := fmt.Sprintf("tr[data-token-id='%d'] form", list[1].ID)
	action, _ := owner.get("/account").page().Find(row).Attr("action")
	owner.post(action, url.Values{"user": {fmt.Sprint(user)}}).want(http.StatusSeeOther)
	owner.get("/account").has(".notice", "Revoked")
	asToken(first).want(http.StatusUnauthorized)
	asToken(second).want(http.StatusOK)
	tokens := fmt.Sprintf("/people/%d/tokens", user)
	admin.get(tokens).want(http.StatusOK).has("tr[data-token-id]", "a laptop")
	if to := admin.post(fmt.Sprintf("/account/tokens/%d/revoke", list[0].ID), url.Values{"user": {fmt.Sprint(user)}}).want(http.StatusSeeOther).Header.Get("Location"); !strings.HasSuffix(to, tokens) {
		t.Errorf("an admin who revoked is sent to %s", to)
	}
	asToken(second).want(http.StatusUnauthorized)
	admin.get(tokens).has("main", "has made none")
}
