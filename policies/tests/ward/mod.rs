//! A small folder whose words the tests know by heart, whatever the shipped one says.

use sealgate_policies::Folder;

/// The schema is the shipped one: it must be what the gateway supplies.
pub fn folder() -> Folder {
    let shipped = Folder::shipped();
    let schema = shipped.text("schema.cedarschema").unwrap();
    Folder::from_pairs(FILES.into_iter().chain([("schema.cedarschema", schema)]))
}

const FILES: [(&str, &str); 11] = [
    ("issuers.toml", ISSUERS),
    ("jwks/dev.json", "{\"keys\": []}"),
    ("limits.toml", "[limits.clinic]\nrows_max = 1024\n[limits.trial]\nrows_max = 32\n"),
    ("models.toml", MODELS),
    ("release.toml", RELEASE),
    ("roles.toml", ROLES),
    ("rules/clearance.cedar", CLEARANCE),
    ("rules/clinicians.cedar", CLINICIANS),
    ("rules/data-science.cedar", DATA_SCIENCE),
    ("rules/scope.cedar", SCOPE),
    ("rules/tenants.cedar", TENANTS),
];

const ISSUERS: &str = r#"# Whose tokens count.
[issuers.dev]
issuer = "https://dev.sealgate.localhost"
audience = ["sealgate"]
algorithms = ["ES256", "EdDSA", "RS256"]
jwks = "jwks/dev.json"
tenants = ["general-hospital", "lakeside-clinic"]
profile = "dev"
lifetime_max_s = 43200
"#;

const MODELS: &str = r#"[models.breast-cancer]
title = "Malignancy of a breast mass"
owner = "general-hospital"
sensitivity = "confidential"
modes = ["gateway-sealed", "client-sealed"]
"#;

const RELEASE: &str = r#"[release.full]
output = "full"
[release.rounded]
output = "rounded"
digits = 2
[release.label]
output = "label"
"#;

const ROLES: &str = r#"[claims]
tenant = "tenant"
groups = "groups"
scopes = "scope"

[levels]
public = 0
internal = 1
confidential = 2

[tenants.general-hospital]
title = "General Hospital"

[tenants.lakeside-clinic]
from = ["lakeside-clinic", "lakeside"]

[groups.clinicians]
title = "People who treat patients"
clearance = "confidential"

[groups.data-science]
clearance = "internal"
"#;

const CLEARANCE: &str = r#"// The more sensitive a model, the higher the clearance it takes to use it.

@id("clearance-reaches-sensitivity")
@code("clearance_too_low")
forbid (principal, action == Action::"infer", resource)
when { principal.clearance < resource.sensitivity };
"#;

const CLINICIANS: &str = r#"// Clinicians use the models of their own tenant.

@id("clinicians-infer")
@release("full")
@limits("clinic")
permit (principal in Group::"clinicians", action == Action::"infer", resource);

@id("clinicians-describe")
@release("full")
@limits("clinic")
permit (principal in Group::"clinicians", action == Action::"describe_model", resource);
"#;

const DATA_SCIENCE: &str = r#"@id("data-science-describe")
permit (principal in Group::"data-science", action == Action::"describe_model", resource);
"#;

const SCOPE: &str = r#"@id("infer-needs-its-scope")
@code("scope_missing")
forbid (principal, action == Action::"infer", resource)
unless { principal.scopes.contains("infer") };
"#;

const TENANTS: &str = r#"// Nobody touches another tenant's models, whatever else permits it.

@id("tenants-stay-apart")
@code("other_tenant")
forbid (principal, action, resource is Model)
unless { principal in resource.owner };
"#;
