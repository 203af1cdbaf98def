package web

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/text"
)

// parameterPlaces are where a request has its parameters, as problems name them and as the tags of a request's fields do.
var parameterPlaces = []string{"path", "query", "header"}

// placesOf are the places of a request's parameters, by their names.
func placesOf(request reflect.Type) map[string]string {
	places := map[string]string{}
	for _, f := range reflect.VisibleFields(request) {
		for _, place := range parameterPlaces {
			if name, _, _ := strings.Cut(f.Tag.Get(place), ","); name != "" {
				places[name] = place
			}
		}
	}
	return places
}

// operationAt is an operation as huma has completed it.
func operationAt(doc *huma.OpenAPI, o huma.Operation) *huma.Operation {
	at := doc.Paths[o.Path]
	return map[string]*huma.Operation{http.MethodGet: at.Get, http.MethodPost: at.Post, http.MethodPut: at.Put, http.MethodPatch: at.Patch, http.MethodDelete: at.Delete}[o.Method]
}

// checkQuery refuses what huma would take for a parameter that was left out, an empty value of one that has no empty values, and what
// it would take the first of.
func checkQuery(ctx huma.Context, o *huma.Operation) *Problem {
	u := ctx.URL()
	query := u.Query()
	for _, p := range o.Parameters {
		values := query[p.Name]
		if p.In != "query" || len(values) == 0 {
			continue
		}
		schema, message := p.Schema, ""
		if schema.Type == huma.TypeArray {
			if schema = schema.Items; p.Explode == nil || !*p.Explode {
				values = strings.Split(strings.Join(values, ","), ",")
			}
		} else if len(values) > 1 {
			message = fmt.Sprintf("is there %s times: give one value", text.Count(len(values)))
		}
		for _, v := range values {
			if v == "" && (schema.Type != huma.TypeString || schema.Enum != nil || schema.MinLength != nil && *schema.MinLength > 0) {
				message = "is empty: give a value, or leave it out"
			}
		}
		if message != "" {
			return newProblem(ctx.Context(), outcome(&annotator.ValidationError{Field: "query." + p.Name, Message: message}))
		}
	}
	return nil
}
