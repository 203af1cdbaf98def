package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/health"
)

// routes lists every address of the studio, each with the role it needs: below a project the role in it.
func (s *Server) routes(protection *http.CrossOriginProtection) http.Handler {
	const (
		annotators = annotator.RoleAnnotator
		reviewers  = annotator.RoleReviewer
		leads      = annotator.RoleLead
		admins     = annotator.RoleAdmin
	)
	r := chi.NewRouter()
	r.Use(speak, s.observe, s.secure, s.legible)
	r.NotFound(s.plain(func(http.ResponseWriter, *http.Request) error { return annotator.ErrNotFound }))

	// For machines and browsers: no session, no page.
	r.Get("/healthz", s.healthz)
	r.Get("/readyz", health.Handler(s.config.Ready))
	if s.config.MetricsToken != "" { // without it they are only on an address of their own, if at all (MetricsHandler)
		r.Get("/metrics", s.plain(s.metricsForToken))
	}
	r.Method(http.MethodGet, "/static/*", s.assets)
	r.Get("/favicon.ico", s.favicon)

	r.Group(func(r chi.Router) {
		r.Use(protection.Handler, s.sessions.loadAndSave, s.authenticate)
		r.Route(apiPrefix, func(r chi.Router) { newAPI(s, r) })
		// These limit their bodies themselves.
		r.Post("/projects/{slug}/uploads", s.projectPage(leads, s.sendModel))
		r.Post("/projects/{slug}/maps", s.projectPage(leads, s.bringMaps))
		r.Post("/segmenter", s.page(admins, s.sendSegmenter))
		r.Post("/projects/{slug}/versions/{version}/state-dict", s.projectPage(annotators, s.sendStateDict))

		r.Group(func(r chi.Router) {
			r.Use(bounded, compressed)
			r.NotFound(s.plain(func(http.ResponseWriter, *http.Request) error { return annotator.ErrNotFound }))
			r.Get("/", s.page(annotators, func(v *visit) error { return v.redirect("/projects") }))
			r.Get("/signin", s.plain(s.signInPage))
			r.Post("/signin", s.plain(s.doSignIn))
			r.Get(institutionPath, s.plain(s.toInstitution))
			r.Get(InstitutionBack, s.plain(s.fromInstitution))
			r.Post("/signout", s.plain(s.doSignOut))
			r.Post("/language", s.plain(s.chooseLanguage))
			r.Get(SetupPath, s.plain(s.setupPage))
			r.Post(SetupPath, s.plain(s.setUp))

			r.Get("/projects", s.page(annotators, s.projectsPage))
			r.Post("/projects", s.page(admins, s.createProject))
			r.Post("/deleted/{slug}", s.page(admins, s.changeDeleted))
			r.Get("/archives", s.page(admins, s.archivesPage))
			r.Get("/archives/{import}", s.page(admins, s.archivePage))
			r.Post("/archives/{import}", s.page(admins, s.runArchive))
			r.Get("/people", s.page(admins, s.peoplePage))
			r.Post("/people", s.page(admins, s.addPerson))
			r.Post("/people/{user}", s.page(admins, s.changePerson))
			r.Get(invitationPath, s.plain(s.invitationPage))
			r.Post(invitationPath, s.plain(s.acceptInvitation))
			r.Post("/invitations", s.page(admins, s.inviteByAdmin))
			r.Post("/invitations/{invitation}/revoke", s.page(admins, s.revokeInvitation))
			r.Get("/audit", s.page(admins, s.trailPageOfStudio))
			r.Get("/segmenter", s.page(admins, s.segmenterPage))
			r.Post("/segmenter/remove", s.page(admins, s.removeSegmenter))
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch} {
				r.Method(method, QueuesPath+"/*", s.page(admins, s.queues))
			}
			r.Get(QueuesPath, s.page(admins, func(v *visit) error { return v.redirect(QueuesPath + "/") }))
			r.Get("/guide", s.page(annotators, s.guidePage))
			r.Get("/account", s.page(annotators, s.accountPage))
			r.Post("/account/name", s.page(annotators, s.changeOwnName))
			r.Post("/account/password", s.page(annotators, s.changeOwnPassword))
			r.Post("/account/tokens", s.page(annotators, s.makeToken))
			r.Post("/account/tokens/{token}/revoke", s.page(annotators, s.revokeToken))
			r.Post("/account/sessions", s.page(annotators, s.endOwnSessions))
			r.Post("/account/identities", s.page(annotators, s.linkIdentity))
			r.Post("/account/identities/{identity}/remove", s.page(annotators, s.unlinkIdentity))
			r.Get("/people/{user}/ways", s.page(admins, s.waysPage))
			r.Post("/people/{user}/identities/{identity}/remove", s.page(admins, s.unlinkIdentityOf))
			r.Get("/people/{user}/tokens", s.page(admins, s.tokensPage))
			r.Get("/people/{user}/sessions", s.page(admins, s.sessionsPage))
			r.Post("/people/{user}/sessions", s.page(admins, s.endSessions))
			r.Get("/people/{user}/data", s.page(admins, s.personalData))
			r.Post("/people/{user}/remove", s.page(admins, s.removePerson))
			r.Get("/account/data", s.page(annotators, s.ownData))

			r.Route("/projects/{slug}", func(r chi.Router) {
				r.Get("/", s.projectPage(annotators, func(v *visit) error { return v.redirect(v.to("queue")) }))
				r.Get("/queue", s.projectPage(annotators, s.queuePage))
				r.Post("/tasks/next", s.projectPage(annotators, s.nextTask))
				r.Post("/tasks/bulk", s.projectPage(annotators, s.bulkTasks))
				r.Post("/tasks/undo", s.projectPage(reviewers, s.undoAssignment))
				r.Get("/tasks/{task}", s.projectPage(annotators, s.editorPage))
				r.Get("/review", s.projectPage(reviewers, s.reviewsPage))
				r.Post("/review/next", s.projectPage(reviewers, s.nextReview))
				r.Post("/review/accept", s.projectPage(reviewers, s.acceptMany))
				r.Post("/review/undo", s.projectPage(reviewers, s.undoMany))
				r.Get("/review/{task}", s.projectPage(reviewers, s.reviewPage))
				r.Get("/review/{task}/correct", s.projectPage(reviewers, s.correctPage))
				r.Post("/review/{task}", s.projectPage(reviewers, s.judge))
				r.Post("/review/{task}/retract", s.projectPage(reviewers, s.retract))
				r.Get("/people", s.projectPage(annotators, s.workPage))
				r.Post("/invitations", s.projectPage(leads, s.inviteToProject))
				r.Post("/invitations/{invitation}/revoke", s.projectPage(leads, s.revokeInvitationTo))
				r.Post("/members", s.projectPage(leads, s.addMember))
				r.Post("/members/{user}", s.projectPage(leads, s.changeMember))
				r.Get("/agreement", s.projectPage(reviewers, s.agreementPage))
				r.Get("/agreement/{image}", s.projectPage(reviewers, s.sharedPage))
				r.Post("/agreement/{image}", s.projectPage(reviewers, s.adopt))
				r.Get("/rounds", s.projectPage(annotators, s.roundsPage))
				r.Post("/rounds", s.projectPage(leads, s.startRound))
				r.Get("/rounds/new", s.projectPage(leads, s.newRoundPage))
				r.Get("/rounds/{round}", s.projectPage(annotators, s.roundPage))
				r.Post("/rounds/{round}/cancel", s.projectPage(leads, s.cancelRound))
				r.Get("/forecast", s.projectPage(annotators, s.forecastPage))
				r.Post("/forecast", s.projectPage(reviewers, s.startForecast))
				r.Get("/versions", s.projectPage(annotators, s.versionsPage))
				r.Get("/versions/new", s.projectPage(leads, s.newVersionPage))
				r.Get("/uploads/{upload}", s.projectPage(leads, s.uploadPage))
				r.Post("/uploads/{upload}", s.projectPage(leads, s.addUpload))
				r.Get("/imports/new", s.projectPage(leads, s.newImportPage))
				r.Post("/imports", s.projectPage(admins, s.beginFromSource))
				r.Get("/imports/{import}", s.projectPage(leads, s.importPage))
				r.Post("/imports/{import}", s.projectPage(leads, s.runImport))
				r.Get("/maps", s.projectPage(leads, s.newMapsPage))
				r.Post("/versions/{version}/activate", s.projectPage(leads, s.activateVersion))
				r.Post("/versions/{version}/scan", s.projectPage(leads, s.scanVersion))
				r.Get("/images", s.projectPage(annotators, s.imagesPage))
				r.Post("/images", s.projectPage(leads, s.changeImages))
				r.Get("/images/{image}", s.projectPage(annotators, s.imagePage))
				r.Post("/images/{image}/task", s.projectPage(annotators, s.askForMap))
				r.Post("/images/{image}/label", s.projectPage(annotators, s.proposeLabel))
				r.Get("/labels", s.projectPage(annotators, s.labelsPage))
				r.Get("/labels/next", s.projectPage(reviewers, s.nextLabel))
				r.Get("/labels/{verdict}", s.projectPage(annotators, s.labelPage))
				r.Post("/labels/{verdict}", s.projectPage(annotators, s.judgeLabel))
				r.Post("/images/{image}", s.projectPage(leads, s.changeImage))
				r.Get("/suspects", s.projectPage(annotators, s.suspectsPage))
				r.Get("/suspects/next", s.projectPage(annotators, s.nextSuspect))
				r.Get("/activity", s.projectPage(annotators, s.activityPage))
				r.Get("/settings", s.projectPage(annotators, s.settingsPage))
				r.Post("/settings", s.projectPage(leads, s.changeProject))
				r.Post("/settings/overlap", s.projectPage(leads, s.changeOverlap))
				r.Post("/settings/mix", s.projectPage(leads, s.changeMix))
				r.Post("/settings/sampling", s.projectPage(leads, s.changeSampling))
				r.Post("/settings/state", s.projectPage(leads, s.putAway))
				r.Post("/settings/class", s.projectPage(leads, s.renameClass))
				r.Get("/export", s.projectPage(annotators, s.exportPage))
				r.Get("/leakage", s.projectPage(annotators, s.leakagePage))
				r.Post("/leakage/leave-out", s.projectPage(leads, s.leaveOut))
				r.Post("/leakage/restore", s.projectPage(leads, s.takeIn))
				r.Get("/start", s.projectPage(leads, s.startPage))
				r.Post("/start", s.projectPage(leads, s.setStart))
			})
		})
	})
	return r
}
