package calltable_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/calltable"
	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/param"
)

// Every param of package param, and every method of the client that takes one, has a row.
func TestEveryCallHasARow(t *testing.T) {
	byParam := make(map[string]calltable.Call)
	for _, c := range calltable.All() {
		_, ok := byParam[c.ParamType.Name()]
		require.False(t, ok, "param.%s has two rows", c.ParamType.Name())
		byParam[c.ParamType.Name()] = c
	}
	for _, name := range paramsWithCall(t) {
		_, ok := byParam[name]
		require.True(t, ok, "param.%s has no row: add one to internal/calltable/table.go; "+
			"the comments of Call in calls.go say what the fields hold", name)
	}
	client := reflect.TypeFor[*daxpay.Client]()
	for i := range client.NumMethod() {
		m := client.Method(i)
		if m.Type.NumIn() != 3 || m.Type.In(2).Kind() != reflect.Pointer || strings.HasPrefix(m.Name, "Recover") ||
			m.Type.In(2).Elem().PkgPath() != "github.com/daxpay-go/daxpay/param" {
			continue
		}
		name := m.Type.In(2).Elem().Name()
		require.Equal(t, m.Name, byParam[name].Name, "the row of param.%s names the wrong method", name)
		delete(byParam, name)
	}
	require.Empty(t, byParam, "no method of daxpay.Client takes the param of these rows")
}

// paramsWithCall finds the types of package param that have a method Call.
func paramsWithCall(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("../../param/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		for _, decl := range source.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Name.Name != "Call" || f.Recv == nil {
				continue
			}
			star, ok := f.Recv.List[0].Type.(*ast.StarExpr)
			require.True(t, ok, "%s: Call needs a pointer as receiver", file)
			name, ok := star.X.(*ast.Ident)
			require.True(t, ok)
			names = append(names, name.Name)
		}
	}
	require.NotEmpty(t, names)
	return names
}

// Every row is complete and agrees with the param and the table of versions.
func TestRows(t *testing.T) {
	versions := map[daxpay.GatewayVersion]gateway.Version{
		daxpay.GatewayV205: gateway.V205, daxpay.GatewayV206: gateway.V206, daxpay.GatewayV207: gateway.V207,
		daxpay.GatewayV208: gateway.V208,
	}
	for _, c := range calltable.All() {
		t.Run(c.Name, func(t *testing.T) {
			p := c.Param("1")
			require.NotSame(t, p, c.Param("1"), "Param returns a new param each time")
			call := reflect.ValueOf(p).MethodByName("Call").Call(nil)[0]
			effect, ok := call.FieldByName("Effect").Interface().(param.Effect)
			require.True(t, ok)
			assert.Equal(t, c.Effect, effect, "the row and the Call method of param.%s differ in Effect", c.ParamType.Name())
			for version, release := range versions {
				path, ok := release.Path(call.FieldByName("Path").String())
				switch {
				case c.Sent[version] != "":
					assert.Equal(t, path, c.PathIn(version), "gateway %s: the row and internal/gateway/version.go differ", version)
				case ok:
					assert.Contains(t, c.Unfit, version, "Sent lacks gateway %s, which has the call by internal/gateway/version.go; "+
						"add what it sends, or say in version.go that it is absent", version)
				}
			}
			for i := range c.ParamType.NumField() {
				f := c.ParamType.Field(i)
				if rules := f.Tag.Get("daxpay"); strings.HasPrefix(rules, "text") || strings.HasPrefix(rules, "opaque") {
					assert.NotEmpty(t, reflect.ValueOf(p).Elem().Field(i).String(), "param leaves %s empty", f.Name)
				}
			}
			if c.Sent[daxpay.GatewayV208] != "" && hasFields(c.Model) {
				assert.NotEmpty(t, c.Answer, "answer lacks the members of %s", c.Model.Name())
			}
			if !c.Unnamed {
				assert.False(t, c.Right(reflect.New(c.Model).Interface(), "1"), "right takes any answer")
			}
		})
	}
}

// hasFields tells whether a model has fields besides those of model.Common.
func hasFields(m reflect.Type) bool { return m.NumField() > 1 }

// The tables in the documents list every call.
func TestDocumentsHaveEveryCall(t *testing.T) {
	for _, page := range []string{"README.md", "README.zh-CN.md", "docs/outcomes.md", "docs/outcomes.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("../..", page))
		require.NoError(t, err)
		for _, c := range calltable.All() {
			ofAll := strings.HasPrefix(page, "README")
			if ofAll || c.Effect != param.EffectReadOnly && c.Sent[daxpay.GatewayV208] != "" {
				assert.True(t, strings.Contains(string(text), "`"+c.Name+"`"), "%s lacks %s in its table of calls", page, c.Name) //nolint:testifylint // it would print the page
			}
		}
	}
}
