"""GET /codes/quality: how far the codes agree with the true categories."""

from fastapi import APIRouter

from app.dependencies import CodesOf
from app.errors import documented
from app.services import quality
from app.view_schemas import Quality

router = APIRouter(prefix="/codes", tags=["codes"], responses=documented(404, 422, 503))


@router.get("/quality")
def code_quality(index: CodesOf) -> Quality:
    """Purity, mutual information, Rand index and the paper's Figure 5 of every level.

    The learned codes stand beside random ones of the same sizes and k-means codes of the same
    number, measured when the model was trained. No figures where the data have no categories.
    """
    return quality.quality(index)
