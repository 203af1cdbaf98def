package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/abn-studio/studio/annotator"
)

// browserOnly marks operations that no bearer token may call, whatever its scopes: passwords, tokens, sessions and accounts. A token
// must not be able to gain more rights than it has.
const browserOnly annotator.Scope = ""

// scopes holds the scope that a bearer token needs for each operation of the API, by the operation's id. The studio does not start if
// one is missing.
var scopes = map[string]annotator.Scope{
	"session": annotator.ScopeRead,

	"signOut": browserOnly, "sessions": browserOnly, "endSession": browserOnly, "endOtherSessions": browserOnly, "userSessions": browserOnly, "endUserSessions": browserOnly, "createToken": browserOnly, "tokens": browserOnly, "revokeToken": browserOnly,
	"invite": browserOnly, "invitations": browserOnly, "revokeInvitation": browserOnly, "inviteTo": browserOnly, "invitationsTo": browserOnly, "revokeInvitationTo": browserOnly,
	"webhooks": browserOnly, "webhooksOf": browserOnly, "addWebhook": browserOnly, "addWebhookOf": browserOnly, "deliveries": browserOnly, "deliveriesOf": browserOnly, "redeliver": browserOnly, "redeliverOf": browserOnly, "switchWebhookOn": browserOnly, "switchWebhookOnOf": browserOnly, "switchWebhookOff": browserOnly, "switchWebhookOffOf": browserOnly, "tryWebhook": browserOnly, "tryWebhookOf": browserOnly, "removeWebhook": browserOnly, "removeWebhookOf": browserOnly,
	"userTokens": browserOnly, "signInWays": browserOnly, "unlinkIdentity": browserOnly, "takeOffFactor": browserOnly, "beginPasskey": browserOnly, "addPasskey": browserOnly, "removePasskey": browserOnly, "users": browserOnly, "createUser": browserOnly, "changeUser": browserOnly, "personalData": browserOnly, "removeUser": browserOnly,

	"projects": annotator.ScopeRead, "project": annotator.ScopeRead, "trail": annotator.ScopeAdmin, "exportTrail": annotator.ScopeAdmin, "jobs": annotator.ScopeRead, "audit": annotator.ScopeRead, "export": annotator.ScopeRead,
	"members": annotator.ScopeRead, "addMember": annotator.ScopeAdmin, "setMember": annotator.ScopeAdmin, "removeMember": annotator.ScopeAdmin,
	"createProject": annotator.ScopeAdmin, "setStart": annotator.ScopeAdmin, "previewStarts": annotator.ScopeAdmin,

	"space": annotator.ScopeAdmin, "countSpace": annotator.ScopeAdmin, "setDefaultQuota": annotator.ScopeAdmin, "setQuota": annotator.ScopeAdmin, "projectSpace": annotator.ScopeRead,

	"leakage": annotator.ScopeRead, "leaveOut": annotator.ScopeAdmin, "takeIn": annotator.ScopeAdmin,

	"suspects": annotator.ScopeRead, "labelHistory": annotator.ScopeRead, "labelVerdicts": annotator.ScopeRead, "labelVerdict": annotator.ScopeRead,
	"askForMap": annotator.ScopePaint, "proposeLabel": annotator.ScopePaint, "withdrawLabel": annotator.ScopePaint, "nextLabelVerdict": annotator.ScopeReview, "judgeLabel": annotator.ScopeReview,

	"images": annotator.ScopeRead, "image": annotator.ScopeRead, "picture": annotator.ScopeRead, "mask": annotator.ScopeRead,
	"changeImage": annotator.ScopeAdmin, "deleteImage": annotator.ScopeAdmin, "restoreImage": annotator.ScopeAdmin, "purgeImage": annotator.ScopeAdmin,
	"deleteImages": annotator.ScopeAdmin, "restoreImages": annotator.ScopeAdmin, "purgeImages": annotator.ScopeAdmin,

	"tasks": annotator.ScopeRead, "recentTasks": annotator.ScopeRead, "dayProgress": annotator.ScopeRead, "facets": annotator.ScopeRead, "task": annotator.ScopeRead, "revisions": annotator.ScopeRead,
	"score": annotator.ScopeRead, "activationMap": annotator.ScopeRead, "likeness": annotator.ScopeRead, "segment": annotator.ScopeRead, "prepareSegmenter": annotator.ScopeRead, "segmenter": annotator.ScopeRead, "startingPoints": annotator.ScopeRead, "startingPoint": annotator.ScopeRead, // they store nothing
	"nextTask": annotator.ScopePaint, "changeTasks": annotator.ScopePaint, "painters": annotator.ScopeReview, "undoAssignment": annotator.ScopeReview, "claimTask": annotator.ScopePaint, "renewLease": annotator.ScopePaint, "saveDraft": annotator.ScopePaint,
	"submitTask": annotator.ScopePaint, "takeBackTask": annotator.ScopePaint, "skipTask": annotator.ScopePaint, "releaseTask": annotator.ScopePaint,

	"agreement": annotator.ScopeRead, "work": annotator.ScopeRead, "agreementOfImage": annotator.ScopeRead, "adopt": annotator.ScopeReview,
	"nextReview": annotator.ScopeReview, "claimReview": annotator.ScopeReview, "renewReview": annotator.ScopeReview, "releaseReview": annotator.ScopeReview, "reasonCounts": annotator.ScopeRead, "review": annotator.ScopeReview, "correctEdit": annotator.ScopeReview, "retractReview": annotator.ScopeReview, "reviews": annotator.ScopeReview, "sampling": annotator.ScopeAdmin, "approveReviews": annotator.ScopeReview, "retractReviews": annotator.ScopeReview, "reopenTask": annotator.ScopeReview,

	"forecast": annotator.ScopeRead, "forecastRows": annotator.ScopeRead, "startForecast": annotator.ScopeReview,

	"rounds": annotator.ScopeRead, "roundDefaults": annotator.ScopeRead, "round": annotator.ScopeRead, "roundRows": annotator.ScopeRead, "compareVersions": annotator.ScopeRead, "roundImages": annotator.ScopeRead, "roundEvents": annotator.ScopeRead,
	"startRound": annotator.ScopeAdmin, "cancelRound": annotator.ScopeAdmin,

	"versions": annotator.ScopeRead, "version": annotator.ScopeRead, "downloadVersion": annotator.ScopeRead,
	"downloadVersionData": annotator.ScopeRead, "downloadManifest": annotator.ScopeRead, "stateDict": annotator.ScopeRead, "stateDictByReference": annotator.ScopeAdmin,
	"activateVersion": annotator.ScopeAdmin, "startScan": annotator.ScopeAdmin,
	"setSegmenter": annotator.ScopeAdmin, "removeSegmenter": annotator.ScopeAdmin,
	"addVersion": annotator.ScopeAdmin, "upload": annotator.ScopeAdmin, "addUpload": annotator.ScopeAdmin,

	"packProject": annotator.ScopeAdmin, "beginArchive": annotator.ScopeAdmin, "archives": annotator.ScopeAdmin, "startArchive": annotator.ScopeAdmin,
	"bringMaps": annotator.ScopeAdmin, "changeProject": annotator.ScopeAdmin, "closeProject": annotator.ScopeAdmin, "reopenProject": annotator.ScopeAdmin, "deleteProject": annotator.ScopeAdmin,
	"restoreProject": annotator.ScopeAdmin, "purgeProject": annotator.ScopeAdmin, "renameClass": annotator.ScopeAdmin, "beginImport": annotator.ScopeAdmin, "sources": annotator.ScopeAdmin, "imports": annotator.ScopeAdmin, "import": annotator.ScopeAdmin, "sendImportBytes": annotator.ScopeAdmin,
	"lookAtImport": annotator.ScopeAdmin, "startImport": annotator.ScopeAdmin, "discardImport": annotator.ScopeAdmin, "importExample": annotator.ScopeAdmin,
}

// scopeOf returns the scope that an operation needs.
func scopeOf(operation string) annotator.Scope {
	scope, known := scopes[operation]
	if !known {
		panic(fmt.Sprintf("web: the operation %s has no scope: say in scopes.go which a bearer token needs for it", operation))
	}
	return scope
}

// tokenOf returns the bearer token a request came with, if it came with one.
func tokenOf(ctx context.Context) (annotator.Token, bool) {
	token, ok := ctx.Value(keyToken).(annotator.Token)
	return token, ok
}

// permit checks that the user in ctx has the role, and their bearer token, if there is one, the scope. what names the action in the error.
func permit(ctx context.Context, role annotator.Role, scope annotator.Scope, what string) error {
	if token, ok := tokenOf(ctx); ok {
		if scope == browserOnly {
			return fmt.Errorf("%w with a bearer token, whatever its scopes: %s", annotator.ErrForbidden, what)
		}
		if err := token.Allows(scope); err != nil {
			return err
		}
	}
	_, err := actorFor(ctx, role)
	return err
}

// bearer returns the bearer token of a request. The name of the scheme is written in any case (RFC 9110).
func bearer(r *http.Request) (token string, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// challenge returns the WWW-Authenticate header of an answer to a refused bearer token (RFC 6750), "" for other errors.
func challenge(err error) string {
	var ended *annotator.TokenError
	var scope *annotator.ScopeError
	switch {
	case errors.As(err, &ended):
		return `Bearer error="invalid_token", error_description="the token expired or was revoked"`
	case errors.As(err, &scope):
		return fmt.Sprintf(`Bearer error="insufficient_scope", scope=%q`, string(scope.Needed))
	}
	return ""
}
