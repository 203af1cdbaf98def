package web

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/archive"
)

// archives registers whole projects, out and in.
func (a *api) archives() {
	type packRequest struct {
		ByProject
		Pictures  bool `query:"pictures" doc:"With the images' files. Without: by their SHA-256, for a studio that has them."`
		Anonymous bool `query:"anonymous" doc:"People are called Annotator 1 and so on, and their addresses are invented: to publish it. What they wrote stays as it is."`
	}
	o := get("packProject", "/projects/{project}/archive", "The whole project as one archive, which another studio reads")
	o.Description = "Images, model versions with their files, edits with their maps, reviews, tasks, labels, rounds, people's names and e-mail addresses, the trail. It is streamed while it is read; if that fails halfway, the connection is broken off."
	o.Responses = map[string]*huma.Response{"200": {Description: "The archive", Content: map[string]*huma.MediaType{
		archive.MediaType: {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	handle(a, annotator.RoleLead, o, func(ctx context.Context, actor annotator.User, in *packRequest) (*huma.StreamResponse, error) {
		if _, err := a.server.service.Project(ctx, actor, in.Project); err != nil { // what can be refused is refused before the answer begins
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			request, w := humachi.Unwrap(hc)
			a.server.sendArchive(w, request, actor, archive.Request{Project: in.Project, PackChoices: annotator.PackChoices{Pictures: in.Pictures, Anonymous: in.Anonymous}, Studio: a.server.config.Release, Now: time.Now()})
		}}, nil
	})

	type archiveBegin struct {
		Body struct {
			Name  string `json:"name" bound:"sent name" doc:"What people call it: the file's name."`
			Bytes int64  `json:"bytes" minimum:"1"`
		}
	}
	type archiveBegun struct {
		Status int
		Body   annotator.StagedImport
	}
	begin := created(post("beginArchive", "/archives", "Begin to send an archive of a project"))
	begin.Description = "Its bytes then go to PUT /imports/{import}/bytes in chunks, as those of a data set do; GET and DELETE /imports/{import} are for it too. The same name and size again while bytes are missing answers 200: a broken-off sending is gone on with."
	begin.Responses = a.goneOnWith()
	handle(a, annotator.RoleAdmin, begin, func(ctx context.Context, actor annotator.User, in *archiveBegin) (*archiveBegun, error) {
		staged, resumed, err := a.server.service.BeginArchive(ctx, actor, in.Body.Name, in.Body.Bytes)
		if resumed {
			return &archiveBegun{http.StatusOK, staged}, err
		}
		return &archiveBegun{http.StatusCreated, staged}, err
	})

	type archiveList struct {
		Archives []annotator.StagedImport `json:"archives"`
	}
	handle(a, annotator.RoleAdmin, get("archives", "/archives", "Archives of projects that are being sent or wait to be read, newest first"),
		func(ctx context.Context, actor annotator.User, _ *nothing) (*answer[archiveList], error) {
			list, err := a.server.service.StagedArchives(ctx, actor)
			return &answer[archiveList]{archiveList{orEmpty(list)}}, err
		})

	type archiveStart struct {
		ByImport
		Body struct {
			Slug string `json:"slug,omitempty" bound:"slug" doc:"The project's; the archive's own where absent."`
			Name string `json:"name,omitempty" bound:"project name" doc:"The project's; the archive's own where absent."`
		}
	}
	start := post("startArchive", "/archives/{import}/start", "Make a project of an archive that was sent")
	start.Description = "GET /imports/{import} then is imported, with the slug in made, or received with a problem."
	start.DefaultStatus = http.StatusAccepted
	handle(a, annotator.RoleAdmin, start, func(ctx context.Context, actor annotator.User, in *archiveStart) (*answer[annotator.StagedImport], error) {
		staged, err := a.server.service.StartArchive(ctx, actor, in.Import, in.Body.Slug, in.Body.Name)
		return &answer[annotator.StagedImport]{staged}, err
	})
}

// sendArchive streams an archive.
func (s *Server) sendArchive(w http.ResponseWriter, r *http.Request, actor annotator.User, request archive.Request) {
	s.sendWhileWritten(w, r, streamed{annotator.RoleLead, archive.MediaType, request.FileName(), 24 * time.Hour}, func(out io.Writer) error {
		_, err := archive.Write(r.Context(), s.service, actor, request, out)
		return err
	})
}
