"""Finding out what a split leaks and what a published figure does not say: `audit` and `audit_model`."""

from mgc_hf.auditing.leaks import AuditResult, BadFile, Finding, Place, audit
from mgc_hf.auditing.published import Lack, PublishedAudit, audit_model

__all__ = ["AuditResult", "BadFile", "Finding", "Lack", "Place", "PublishedAudit", "audit", "audit_model"]
